"""Every lab's scenario is right, reads back from each of its text forms, and does what its lab says."""

import hashlib
import struct
from collections import Counter
from pathlib import Path

import pytest
from msgspec import structs

from engine.machine.program import check_scenario
from engine.model.layout import SYSTEM_SIZE
from engine.model.scenario import Limits, Scenario
from engine.model.text import canonical, from_canonical
from engine.model.yaml_text import to_yaml
from engine.session.host import host_for
from engine.session.outcome import Outcome, run_to_end

LABS = sorted(Path(__file__).parents[3].glob("labs/*/scenario.yaml"))


def lab(name: str) -> Scenario:
    (path,) = (path for path in LABS if path.parent.name == name)
    return check_scenario(path.read_bytes())


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.parent.name)
def test_a_lab_reads_back_from_each_text_form(path: Path) -> None:
    scenario = check_scenario(path.read_bytes())
    assert check_scenario(to_yaml(scenario)) == scenario
    assert from_canonical(canonical(scenario)) == scenario
    assert path.with_name("lab.md").read_text().startswith(f"# {scenario.name}\n")


def outcome(name: str, **limits: int) -> Outcome:
    scenario = structs.replace(lab(name), limits=Limits(**limits))
    return run_to_end(scenario, host_for(scenario, "sim"))


def test_both_vcpus_meet_the_fence_and_nothing_is_lost() -> None:
    found = outcome("fence-a-page", exits=100)
    assert found.exits == {"protection": 100}
    assert Counter(denied.vcpu for denied in found.protection).keys() == {0, 1}
    assert {denied.gpa for denied in found.protection} <= {"0x210000", "0x211000", "0x212000", "0x213000"}
    assert "0x200000+384" in found.dirty


def test_locked_counters_lose_no_count() -> None:
    found = outcome("count-with-lock")
    assert (found.stopped, found.dirty) == ("hlt", ["0x200000+2"])
    memory = bytearray((4 << 20) - SYSTEM_SIZE)
    for gpa, count in ((0x200000, 40000), (0x201000, 20000)):
        struct.pack_into("<Q", memory, gpa - SYSTEM_SIZE, count)
    assert found.memory_sha256 == hashlib.sha256(memory).hexdigest()


def test_a_guest_fences_itself_and_lifts_the_fence_again() -> None:
    """Two setting up, one turning protection on, then a mask each half round; a call and a return each time."""
    found = outcome("guest-fences-itself", exits=400)
    assert {(called.code, called.status) for called in found.hypercalls[3:]} == {("ModifyVtlProtectionMask", "SUCCESS")}
    assert {called.vtl for called in found.hypercalls[:2]} == {0}
    assert {called.vtl for called in found.hypercalls[2:]} == {1}
    assert {(denied.vtl, denied.gpa) for denied in found.protection} == {
        (0, hex(0x210000 + n)) for n in range(0, 0x4000, 0x1000)
    }
    assert found.exits["hypercall"] == len(found.hypercalls) + found.vtl_switches
    rounds = found.exits["protection"] / 32
    assert rounds - 1 <= found.vtl_switches / 4 <= rounds + 1


def test_reads_are_fenced_until_the_script_lifts_the_fence() -> None:
    found = outcome("call-into-pages", instructions=2_000_000)
    assert found.exits == {"protection": 200}
    assert {(denied.vcpu, denied.access) for denied in found.protection} == {(1, "read")}


def test_stores_fall_into_the_void_while_the_slot_is_away() -> None:
    found = outcome("churn-into-the-void", seconds=2)
    assert found.exits.keys() == {"void"}


def test_the_largest_guest_meets_its_fence() -> None:
    found = outcome("scatter-over-four-gib", exits=5, instructions=200_000)
    assert found.exits["protection"] > 0
    assert all(0x80000000 <= int(denied.gpa, 16) < 0x81000000 for denied in found.protection)

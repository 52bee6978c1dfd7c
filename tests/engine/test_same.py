"""The same scenario on kvm and sim: the same protection exits, dirty pages and memory, over guests and masks."""

from pathlib import Path

import msgspec
import pytest

from engine.hypervisor.contract.errors import HypervisorMissing
from engine.machine.program import check_scenario
from engine.model.page_set import PageSet
from engine.model.scenario import Limits, Scenario
from engine.session.host import Host, host_for
from engine.session.outcome import Outcome, run_to_end

BASE = 0x200000
GUESTS = {
    "touch": {"guest": "touch", "params": {"base": BASE, "pages": 24, "rounds": 2}},
    "scatter": {"guest": "scatter", "params": {"base": BASE, "pages": 40, "rounds": 60, "seed": 5}},
    "read": {"guest": "read", "params": {"base": BASE, "pages": 24, "rounds": 2}},
    "call": {"guest": "call", "params": {"base": BASE, "pages": 12, "rounds": 2}},
    "lockinc": {"guest": "lockinc", "params": {"base": BASE, "pages": 12, "rounds": 3}},
    "faults": {"guest": "faults", "params": {"base": BASE + 0x4000, "rounds": 3}},
    "inc": {"asm": f"mov rdi, {BASE:#x}\nmov rcx, 5\nagain: inc qword ptr [rdi]\nadd rdi, 0x1000\nloop again\nhlt"},
    "push": {"asm": f"mov rsp, {BASE + 0x3008:#x}\nmov rcx, 4\nagain: push rcx\npush 7\npop rax\nloop again\nhlt"},
    "stosb": {"asm": f"mov rdi, {BASE + 0xFFC:#x}\nmov rcx, 8\nmov al, 0x5a\nrep stosb\nhlt"},
    "crossing": {
        "asm": f"mov rdi, {BASE + 0xFFC:#x}\nmov rax, 0x1122334455667788\nmov [rdi], rax\nmov rbx, [rdi]\nhlt"
    },
    "void": {"asm": "mov rdi, 0x3ff000\nmov rax, [rdi]\nmov [rdi], rax\nhlt"},
}
MASKS = {
    "open": [],
    "RX on some": [{"vtl": 0, "base": BASE, "pages": 2, "mask": "RX"}],
    "RX in the middle": [{"vtl": 0, "base": BASE + 0x1000, "pages": 1, "mask": "RX"}],
    "R without X": [{"vtl": 0, "base": BASE, "pages": 2, "mask": "R"}],
    "none on some": [{"vtl": 0, "base": BASE + 0x1000, "pages": 3, "mask": "none"}],
}
POLICIES = ("complete", "drop", "relax", "halt")


def host_of(scenario: Scenario, hypervisor: str) -> Host:
    try:
        return host_for(scenario, hypervisor)
    except HypervisorMissing as missing:
        pytest.skip(f"NO {hypervisor.upper()} ON THIS HOST: {missing.reason}")


def essence(found: Outcome) -> dict[str, object]:
    """What must agree on every host. Times and instruction counts are each hypervisor's own."""
    denied = [(d.vcpu, d.vtl, d.gpa, d.access, d.rip) for d in found.protection]
    return {
        "stopped": found.stopped,
        "exits": found.exits,
        "protection": denied,
        "memory": found.memory_sha256,
    }


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize("guest", GUESTS)
def test_kvm_and_sim_agree(scenario, guest: str, masks: str, policy: str) -> None:
    if guest == "call" and masks != "open" and policy == "drop":
        pytest.skip("a denied call target that is skipped over runs on into whatever follows: no end to compare")
    slots = [{"slot": 0, "base": 0, "size": "2MiB"}, {"slot": 1, "base": BASE, "size": "1MiB", "flags": ["log"]}]
    made = scenario(
        vcpus=[GUESTS[guest]],
        masks=MASKS[masks],
        on_protection=policy,
        slots=slots,
        limits={"seconds": 10, "exits": 2000},
    )
    kvm, sim = host_of(made, "kvm"), host_of(made, "sim")
    if guest == "crossing" and policy == "halt" and masks != "open" and not kvm.hypervisor.capabilities.denies_whole:
        pytest.skip("halved by nature: docs/differences.md 1, held by test_differences.py")
    real, simulated = run_to_end(made, kvm), run_to_end(made, sim)
    assert essence(real) == essence(simulated)
    for found, wanted in ((real.dirty, simulated.dirty), (real.dirty_system, simulated.dirty_system)):
        if kvm.hypervisor.capabilities.logs_loads:
            assert PageSet.parse(wanted) - PageSet.parse(found) == PageSet()
        else:
            assert found == wanted


@pytest.mark.parametrize("mask", ["RX", "none"])
def test_an_exception_in_place_of_a_denied_store_is_taken_alike(scenario, mask: str) -> None:
    made = scenario(
        vcpus=[{"guest": "faults", "params": {"base": BASE, "rounds": 4}}],
        masks=[{"vtl": 0, "base": BASE + 0x3000, "pages": 1, "mask": mask}],
        on_protection="inject",
        slots=[{"slot": 0, "base": 0, "size": "2MiB"}, {"slot": 1, "base": BASE, "size": "1MiB", "flags": ["log"]}],
    )
    real, simulated = (run_to_end(made, host_of(made, name)) for name in ("kvm", "sim"))
    assert essence(real) == essence(simulated)
    assert [denied.gpa for denied in simulated.protection] == ["0x203000"] * 4
    assert real.dirty == simulated.dirty == ["0x200000+3", "0x204000+1"]


def test_a_monitor_in_vtl1_is_told_alike() -> None:
    """The lab: two skipped requests for each of two pages, then the third is granted."""
    made = check_scenario(Path("labs/vtl1-answers/scenario.yaml").read_bytes())
    real, simulated = (run_to_end(made, host_of(made, name)) for name in ("kvm", "sim"))
    assert essence(real) == essence(simulated)
    assert (real.hypercalls, real.intercepts, real.vtl_switches) == (simulated.hypercalls, simulated.intercepts, 14)
    asked = [(told.gpa, told.access) for told in simulated.intercepts]
    assert asked == [("0x210008", "write"), ("0x211000", "read")] * 3
    assert simulated.dirty == ["0x210000+4", "0x218000+3"]


@pytest.mark.parametrize(
    "lab", ["guest-fences-itself", "kernel-2-under-a-monitor", "kernel-3-break-in", "kernel-4-write-a-monitor"]
)
def test_a_lab_with_two_trust_levels_runs_alike(lab: str) -> None:
    """To the message's last byte."""
    written = check_scenario(Path(f"labs/{lab}/scenario.yaml").read_bytes())
    made = msgspec.structs.replace(written, limits=Limits(exits=300, seconds=10))
    real, simulated = (run_to_end(made, host_of(made, name)) for name in ("kvm", "sim"))
    assert essence(real) == essence(simulated)
    assert (real.hypercalls, real.intercepts) == (simulated.hypercalls, simulated.intercepts)
    assert (real.vtl_switches, real.dirty) == (simulated.vtl_switches, simulated.dirty)
    assert simulated.vtl_switches > 10


def test_a_guest_finds_the_same_hypervisor() -> None:
    """The lab: CPUID, identity and hypercall page, to the last byte of memory."""
    made = check_scenario(Path("labs/find-the-hypervisor/scenario.yaml").read_bytes())
    real, simulated = (run_to_end(made, host_of(made, name)) for name in ("kvm", "sim"))
    assert essence(real) == essence(simulated)
    assert (real.hypercalls, real.exits) == (simulated.hypercalls, {"msr": 4, "hypercall": 5, "hlt": 1})

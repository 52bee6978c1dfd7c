"""From a scenario to the system area, and what is wrong with guests."""

from typing import Any

import pytest

from engine.machine.pieces import pieces
from engine.machine.program import check_scenario, load
from engine.model.problems import ScenarioProblems

SLOTS = [{"slot": 0, "base": 0, "size": "4MiB"}]


def text(*vcpus: dict[str, Any]) -> dict[str, object]:
    return {"name": "test", "ram": "4MiB", "slots": SLOTS, "vcpus": list(vcpus)}


def refused(*vcpus: dict[str, Any]) -> list[tuple[str, str, str]]:
    with pytest.raises(ScenarioProblems) as caught:
        check_scenario(text(*vcpus))
    return [(one.path, one.value, one.rule) for one in caught.value.problems]


def test_each_vcpu_has_code_and_stack_of_its_own() -> None:
    loaded = load(check_scenario(text({"guest": "spin"}, {"asm": "hlt"})))
    assert [tuple(entry) for entry in loaded.entries] == [(0x10000, 0x9000, 0x1000, 0), (0x12000, 0xA000, 0x1000, 0)]
    assert dict(loaded.writes)[0x12000] == b"\xf4"
    assert [[line.text for line in lines] for lines in loaded.listings] == [["pause", "jmp 0x10000"], ["hlt"]]


def test_the_system_area_is_written_whole() -> None:
    written = dict(load(check_scenario(text({"asm": "hlt"}))).writes)
    assert sorted(written) == [0x0, 0x1000, 0x2000, 0x3000, 0x4000, 0x5000, 0x6000, 0x7000, 0x10000]


def test_a_guest_is_text_that_can_be_read() -> None:
    (piece,) = pieces(check_scenario(text({"guest": "touch", "params": {"pages": 3}})))
    assert "mov rcx, 0x3" in piece.text


def test_vtl1_has_code_where_the_scenario_wants_it_and_vtl0_is_told_where() -> None:
    vtl1 = {"base": 0x218000, "asm": "pause\nhlt"}
    loaded = load(check_scenario(text({"guest": "spin"}, {"asm": "hlt", "vtl1": vtl1})))
    assert [entry.rdi for entry in loaded.entries] == [0, 0x218000]
    assert dict(loaded.writes)[0x218000] == b"\xf3\x90\xf4"
    assert [(line.address, line.text) for line in loaded.listings[1]] == [
        (0x12000, "hlt"), (0x218000, "pause"), (0x218002, "hlt"),
    ]  # fmt: skip


def test_an_unknown_guest_gets_the_list_of_those_there_are() -> None:
    assert refused({"guest": "tuch"}) == [
        (
            "vcpus[0].guest",
            "tuch",
            "no such guest for VTL0; there are spin, touch, scatter, read, call, lockinc, faults, kernel",
        )
    ]


@pytest.mark.parametrize(
    ("vtl1", "path", "rule"),
    [
        ({"base": 0x218000, "guest": "spin"}, "guest", "no such guest for VTL1; there are monitor"),
        ({"base": 0x218000, "guest": "monitor", "params": {"cod": 1}}, "params.cod", "monitor takes code, "),
        ({"base": 0x3FC000, "guest": "monitor"}, "base", "one writable slot must hold all of it, up to 0x408000"),
        ({"base": 0x3FF000, "asm": ".zero 0x1000\nhlt"}, "base", "one writable slot must hold all of it"),
        ({"base": 0x218000, "asm": "bogus"}, "asm", "no such instruction"),
    ],
)
def test_what_vtl1_cannot_be_given(vtl1: dict[str, Any], path: str, rule: str) -> None:
    (problem,) = refused({"asm": "hlt", "vtl1": vtl1})
    assert (problem[0], problem[2][: len(rule)]) == (f"vcpus[0].vtl1.{path}", rule)


def test_parameters_that_a_guest_does_not_take() -> None:
    assert refused({"guest": "spin", "params": {"pages": 5}}) == [("vcpus[0].params.pages", "0x5", "spin takes rounds")]
    (problem,) = refused({"guest": "touch", "params": {"base": 0x200800}})
    assert problem == ("vcpus[0].params.base", "0x200800", "base must be a multiple of 0x1000")


def test_a_guest_may_not_leave_the_identity_map() -> None:
    (problem,) = refused({"guest": "touch", "params": {"base": "0xfffff000", "pages": 2}})
    assert problem == ("vcpus[0].params", "up to 0x100001000", "guests are mapped up to 0x100000000")


def test_every_vcpu_at_fault_is_told_with_its_line() -> None:
    found = refused({"asm": "nop\nbogus\n"}, {"guest": "spin"}, {"asm": "jmp nowhere"})
    assert found == [
        ("vcpus[0].asm", "line 2: bogus", "no such instruction"),
        ("vcpus[2].asm", "line 1: jmp nowhere", "a name that nothing defines"),
    ]


def test_code_must_be_there_and_fit() -> None:
    assert refused({"asm": "; nothing"}) == [("vcpus[0].asm", "", "no instructions")]
    (problem,) = refused({"asm": ".zero 0x2000\nhlt"})
    assert problem == ("vcpus[0].asm", "8193 bytes of code", "at most 8192 fit a vCPU's code area")

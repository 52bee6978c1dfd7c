"""A guest finds the interface by CPUID and places its own hypercall page, by the steps of TLFS, Establishing the
Hypercall Interface."""

from pathlib import Path

import pytest

from engine.abi.tlfs import interface
from engine.machine.program import check_scenario
from engine.model.exits import MsrExit
from engine.model.resolution import Complete, Inject
from tests.engine.machine.vsm_guest import (
    ENABLE_PARTITION_VTL,
    PAGE,
    SETUP,
    STATUSES,
    VTL_CALL,
    VTL_RETURN,
    call,
    fence,
    guest,
    leaf,
    protect,
    put,
    rdmsr,
    set_register,
    wrmsr,
)
from tests.engine.machine.vsm_run import Ran

FOUND = STATUSES + 0x800
OS_ID, HYPERCALL = interface.MSR_GUEST_OS_ID, interface.MSR_HYPERCALL
OWN, OTHER = 0x218000, 0x219000
NOTHING = call(0x7777)
"""No such call: told, and nothing else."""


def answers(ran: Ran) -> list[tuple[int, object]]:
    return [(event.exit.index, event.resolution) for event in ran.exits if isinstance(event.exit, MsrExit)]


PLACED = (wrmsr(OS_ID, 0), wrmsr(OS_ID, 0x8100 << 48), wrmsr(HYPERCALL, OWN | 1))
REFUSED = Inject(13, 0)


def test_a_guest_finds_the_interface_by_cpuid(run) -> None:
    """Steps 1, 2 and 9: a hypervisor is present, its interface is Hv#1, and these are its facilities."""
    ran = run(guest(leaf(1, FOUND), *(leaf(0x4000_0000 + n, FOUND + 16 + 16 * n) for n in range(6))))
    one, vendor, signature, _, features, _, limits = (ran.memory[0x800 + 16 * n :][:16] for n in range(7))
    words = [int.from_bytes(features[at : at + 4], "little") for at in range(0, 16, 4)]
    assert int.from_bytes(one[8:12], "little") & 1 << 31
    assert (vendor, signature) == (b"\x05\0\0\x40Microsoft Hv", b"Hv#1" + bytes(12))
    assert words[0] & interface.PRIVILEGE_ACCESS_HYPERCALL_MSRS
    assert words[1] & (interface.PRIVILEGE_ACCESS_VSM | interface.PRIVILEGE_ACCESS_VP_REGISTERS) >> 32 == 0b11 << 16
    assert limits[0] == 1


def test_a_page_is_there_already_and_can_be_used(run) -> None:
    """Steps 3 to 5: the identity is not zero, and the page is enabled."""
    ran = run(guest(rdmsr(OS_ID, FOUND), rdmsr(HYPERCALL, FOUND + 8), ENABLE_PARTITION_VTL))
    assert ran.words(FOUND, 2) == [1 << 63, 0x7001]
    assert ran.statuses[0] == 0


def test_a_guest_places_its_own_page_and_calls_through_it(run) -> None:
    """Steps 3, 6 and 7."""
    ran = run(guest(*PLACED, rdmsr(HYPERCALL, FOUND), call(0x7777, page=OWN)))
    assert ran.words(FOUND, 1) == [OWN | 1]
    assert ran.served == [("0x7777", "INVALID_HYPERCALL_CODE", 0)]


def test_the_vtl_call_is_where_vsm_code_page_offsets_says(run) -> None:
    """VTL0 calls VTL1 through its own page; VTL1 returns through the one that it was given."""
    switch = f"mov rax, {OWN + 0x10:#x}\nxor ecx, ecx\ncall rax"
    ran = run(guest(*PLACED, *SETUP, switch, put(PAGE, 5), vtl1=(put(PAGE + 8, 6), VTL_RETURN)))
    assert ran.words(PAGE, 2) == [5, 6]


def test_a_page_that_moves_uncovers_what_lay_there(run) -> None:
    before = put(OWN, 0x1111), put(OTHER, 0x2222)
    ran = run(guest(*before, *PLACED, wrmsr(HYPERCALL, OTHER | 1), call(0x7777, page=OTHER)))
    assert (ran.words(OWN, 1), ran.words(OTHER, 1) == [0x2222]) == ([0x1111], False)
    assert ran.served == [("0x7777", "INVALID_HYPERCALL_CODE", 0)]


@pytest.mark.parametrize("off", [wrmsr(HYPERCALL, OWN), wrmsr(OS_ID, 0)], ids=["disabled", "no identity"])
def test_a_page_that_is_disabled_is_gone_and_no_call_is_taken(run, off) -> None:
    """The instruction of the page is then none that exists: #UD, which ends this guest."""
    ran = run(guest(put(OWN, 0x1111), *PLACED, off, rdmsr(HYPERCALL, FOUND), NOTHING))
    assert (ran.words(OWN, 1), ran.words(FOUND, 1)) == ([0x1111], [OWN])
    assert (ran.served, ran.end) == ([], "dead")


def test_without_an_identity_the_page_stays_off(run) -> None:
    """ "The enable bit will remain zero even if a one is written to it." """
    ran = run(guest(put(OWN, 0x1111), wrmsr(OS_ID, 0), wrmsr(HYPERCALL, OWN | 1), rdmsr(HYPERCALL, FOUND)))
    assert (ran.words(FOUND, 1), ran.words(OWN, 1)) == ([OWN], [0x1111])


def test_a_locked_page_stays(run) -> None:
    ran = run(guest(*PLACED, wrmsr(HYPERCALL, OWN | 3), wrmsr(HYPERCALL, OTHER | 1)))
    assert answers(ran)[-2:] == [(HYPERCALL, Complete()), (HYPERCALL, REFUSED)]


@pytest.mark.parametrize("gpa", [0x3FF000, 1 << 52], ids=["no slot", "beyond the GPA space"])
def test_a_page_that_cannot_be_placed_there(run, gpa) -> None:
    slots = [{"slot": 0, "base": 0, "size": "2MiB"}, {"slot": 1, "base": 0x200000, "size": 0x1FF000}]
    assert answers(run(guest(wrmsr(HYPERCALL, gpa | 1)), slots=slots)) == [(HYPERCALL, REFUSED)]


def test_vtl0_cannot_write_through_the_vmm_what_it_cannot_write_itself(run) -> None:
    """VTL1 has fenced the page: it does not become VTL0's hypercall page."""
    vtl1 = (put(OWN, 0x3333), protect(), fence(1, OWN >> 12), VTL_RETURN)
    ran = run(guest(*SETUP, VTL_CALL, wrmsr(HYPERCALL, OWN | 1), vtl1=vtl1))
    assert (answers(ran), ran.words(OWN, 1)) == ([(HYPERCALL, REFUSED)], [0x3333])


def test_vtl0_cannot_put_back_what_lay_under_a_page_that_is_fenced_meanwhile(run) -> None:
    vtl1 = (put(OWN, 0x3333), protect(), fence(1, OWN >> 12), VTL_RETURN)
    ran = run(guest(put(OWN, 0x1111), *PLACED, *SETUP, VTL_CALL, wrmsr(HYPERCALL, OWN), vtl1=vtl1))
    assert (answers(ran)[-1], ran.words(OWN, 1)) == ((HYPERCALL, Complete()), [0x3333])


def test_vtl1_places_its_own_by_set_vp_registers(run) -> None:
    """Each VTL has a page: VTL0's stays, also where both have the same and one leaves."""
    vtl1 = (set_register(0x90001, OWN | 1), VTL_RETURN.replace("0x7020", hex(OWN + 0x20)))
    ran = run(guest(*SETUP, VTL_CALL, NOTHING, vtl1=vtl1))
    assert ran.served[2:] == [("SetVpRegisters", "SUCCESS", 1), ("0x7777", "INVALID_HYPERCALL_CODE", 0)]


LAB = Path("labs/find-the-hypervisor/scenario.yaml")


def altered(*changes: tuple[str, str]) -> str:
    asm = check_scenario(LAB.read_bytes()).vcpus[0].asm
    assert asm is not None
    for old, new in changes:
        assert old in asm
        asm = asm.replace(old, new, 1)
    return asm


def test_the_lab_finds_what_it_says(run) -> None:
    hv1 = int.from_bytes(b"Hv#1", "little")
    ran = run(altered())
    assert ran.words(PAGE, 8) == [1, hv1, 1, 0x7001, 0xCCCCCCCCCCC3E8E7, 0x20010, 0x600D, 0x1111]
    assert (ran.end, [index for index, _ in answers(ran)]) == ("halted", [HYPERCALL, OS_ID, HYPERCALL, HYPERCALL])


@pytest.mark.parametrize(
    ("changes", "found", "end"),
    [
        ([("mov edx, 0x81000000", "xor edx, edx"), ("; ---- 7", "hlt\n; ---- 7")], 0x1111, "halted"),
        ([("[rdi + 0x38], rax", "[rdi + 0x38], rax\nmov rax, 0x7000\ncall rax")], 0xCCCCCCCCCCC3E8E7, "dead"),
        ([("or eax, 1 ", "or eax, 3 ")], 0xCCCCCCCCCCC3E8E7, "dead"),
    ],
    ids=["no identity", "called without a page", "locked"],
)
def test_what_the_lab_has_one_try(run, changes, found, end) -> None:
    ran = run(altered(*changes))
    assert (ran.words(PAGE + 0x20, 1), ran.end) == ([found], end)

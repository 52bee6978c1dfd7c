"""Three VTLs: each enables the next, VTL2 binds both others, and what VTL0 may do is what both leave of it."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.abi.tlfs.interface import PARTITION_ID_SELF
from engine.model.events import InterceptDelivered, MaskChanged, VtlSwitched
from engine.session.host import Host
from tests.engine.machine.vsm_guest import (
    ENABLE_PARTITION_VTL,
    ENABLE_VTL2,
    PAGE,
    SETUP,
    SETUP_VTL2,
    STATUSES,
    VTL_CALL,
    VTL_RETURN,
    call,
    enable_vp_vtl,
    fence,
    get_register,
    protect,
    put,
    set_register,
    with_context,
)
from tests.engine.machine.vsm_run import Ran

READ, NONE, ALL = 0x1, 0x0, 0xF
FIRST, SECOND = PAGE, PAGE + 0x1000
VTL2_ASSIST, VTL2_MESSAGES = 0x20D000, 0x20E000
SLOW_RETURN = "mov rcx, 0\nmov rax, 0x7020\ncall rax"
PARTITION_STATUS, VP_STATUS = 0xD0004, 0xD0003


def pages_of(vtl: int, assist: int, messages: int) -> tuple[str, ...]:
    """VpAssistPage, SCONTROL and SIMP."""
    values = ((0x90013, assist | 1), (0xA0010, 1), (0xA0013, messages | 1))
    return tuple(set_register(name, value, vtl=0x10 | vtl) for name, value in values)


def store(gpa: int, value: int = 1) -> str:
    """By registers that no hypercall here uses."""
    return f"mov r9, {gpa:#x}\nmov r10, {value:#x}\nmov [r9], r10"


@pytest.fixture
def run(host: Host, scenario: Callable[..., Any]) -> Callable[..., Ran]:
    def ran(vtl0: tuple[str, ...], vtl1: tuple[str, ...], vtl2: tuple[str, ...], **fields: object) -> Ran:
        asm = "\n".join([f"mov r15, {STATUSES:#x}", *vtl0, "hlt", "vtl1:", *vtl1, "hlt", "vtl2:", *vtl2, "hlt"])
        return Ran(host, scenario, asm, **{"vtls": 3} | fields)

    return ran


def switches(ran: Ran) -> list[tuple[int, int]]:
    return [(event.from_vtl, event.to_vtl) for event in ran.of(VtlSwitched)]


def test_each_vtl_enables_the_next_and_calls_lead_from_one_to_the_other(run) -> None:
    out = STATUSES + 0x800
    vtl1 = (*SETUP_VTL2, VTL_CALL, VTL_RETURN)
    vtl2 = (get_register(PARTITION_STATUS, out), get_register(VP_STATUS, out + 0x10), VTL_RETURN)
    ran = run((*SETUP, VTL_CALL), vtl1, vtl2)
    assert [status for _, status, _ in ran.served] == ["SUCCESS"] * 6
    assert switches(ran) == [(0, 1), (1, 2), (2, 1), (1, 0)]
    assert (ran.words(out, 1)[0], ran.words(out + 0x10, 1)[0]) == (2 << 16 | 0b111, 0b111 << 16 | 2)


def test_only_the_highest_vtl_below_enables_one(run) -> None:
    """VTL0 cannot enable VTL2 once there is a VTL1 (TLFS, HvCallEnablePartitionVtl, Restrictions)."""
    ran = run((*SETUP, ENABLE_VTL2), (VTL_RETURN,), ())
    assert ran.served[-1][:2] == ("EnablePartitionVtl", "ACCESS_DENIED")


def test_a_vm_has_two_vtls_unless_the_scenario_says_more(run) -> None:
    ran = run((*SETUP, VTL_CALL), (ENABLE_VTL2, VTL_RETURN), (), vtls=2)
    assert ran.served[-1][:2] == ("EnablePartitionVtl", "INVALID_PARAMETER")


def test_what_vtl0_may_do_is_what_both_leave(run) -> None:
    """VTL2 takes W of the first page from both, VTL1 of the second from VTL0. VTL1 opens both again: the first stays
    shut, for VTL1 itself too. VTL2 stores to it."""
    fenced = (fence(READ, FIRST >> 12, vtl=0), fence(READ, FIRST >> 12, vtl=1), store(FIRST, 2), VTL_RETURN)
    both = (FIRST >> 12, SECOND >> 12)
    opened = (fence(ALL, *both), store(FIRST, 3), store(SECOND, 4), VTL_RETURN)
    vtl1 = (*SETUP_VTL2, VTL_CALL, protect(), fence(READ, SECOND >> 12), VTL_RETURN, *opened)
    vtl0 = (*SETUP, VTL_CALL, store(FIRST), store(SECOND), VTL_CALL, store(FIRST), store(SECOND, 5))
    protect_by_2 = set_register(0xD0007, 0x3F, vtl=0x12)
    ran = run(vtl0, vtl1, (protect_by_2, *fenced))
    assert {status for _, status, _ in ran.served} == {"SUCCESS"}
    assert ran.denied == [(0, FIRST), (0, SECOND), (1, FIRST), (0, FIRST)]
    assert (ran.words(FIRST, 1), ran.words(SECOND, 1), ran.end) == ([2], [5], "halted")
    assert [(event.vtl, event.first, event.rights, event.setter) for event in ran.of(MaskChanged)][-2:] == [
        (0, FIRST >> 12, READ, 2),
        (0, SECOND >> 12, ALL, 0),
    ]


def test_an_intercept_goes_to_the_lowest_vtl_that_denied_and_comes_back_past_the_others(run) -> None:
    """Of the first page VTL2 alone has taken W from VTL0: it is entered from VTL0, and returns there. Of the second
    both have: VTL1 is told first, and VTL2 once VTL1 has opened it."""
    protect_by_2 = set_register(0xD0007, 0x3F, vtl=0x12)
    taken = put(VTL2_MESSAGES, 0)
    vtl2 = (*pages_of(2, VTL2_ASSIST, VTL2_MESSAGES), protect_by_2, fence(READ, FIRST >> 12, SECOND >> 12), VTL_RETURN)
    vtl2 += (fence(ALL, FIRST >> 12), taken, VTL_RETURN, fence(ALL, SECOND >> 12), taken, VTL_RETURN)
    vtl1 = (*SETUP_VTL2, VTL_CALL, *pages_of(1, 0x208000, 0x209000), protect(), fence(READ, SECOND >> 12), VTL_RETURN)
    vtl1 += (fence(ALL, SECOND >> 12), put(0x209000, 0), VTL_RETURN)
    ran = run((*SETUP, VTL_CALL, store(FIRST, 6), store(SECOND, 7)), vtl1, vtl2, on_protection="intercept")
    assert [(event.vtl, event.from_vtl, event.gpa) for event in ran.of(InterceptDelivered)] == [
        (2, 0, FIRST),
        (1, 0, SECOND),
        (2, 0, SECOND),
    ]
    assert switches(ran)[4:] == [(0, 2), (2, 0), (0, 1), (1, 0), (0, 2), (2, 0)]
    assert (ran.words(FIRST, 1), ran.words(SECOND, 1), ran.end) == ([6], [7], "halted")


def test_a_default_mask_binds_every_vtl_below(run) -> None:
    """VTL2's, without execute: a page of RAM that VTL0 and VTL1 may not call any more."""
    no_execute = set_register(0xD0007, 0x27, vtl=0x12)
    ran = run((*SETUP, VTL_CALL), (*SETUP_VTL2, VTL_CALL, VTL_RETURN), (no_execute, VTL_RETURN))
    if ran.served[-1][1] == "OPERATION_FAILED":
        pytest.skip("this host does not enforce RW")
    assert {(event.vtl, event.rights) for event in ran.of(MaskChanged)} == {(0, 0x3), (1, 0x3)}


def test_vtl1_alone_still_works_with_three(run) -> None:
    ran = run(
        (ENABLE_PARTITION_VTL, enable_vp_vtl(), VTL_CALL, store(FIRST)),
        (protect(), fence(NONE, FIRST >> 12), VTL_RETURN),
        (),
    )
    assert (ran.denied, ran.end) == ([(0, FIRST)], "halted")


def test_vtls_need_not_be_consecutive(run) -> None:
    """VTL15, with none between, right from VTL0 (TLFS, VTL Enablement)."""
    enable = (call(0x1_000D, PARTITION_ID_SELF, 15), with_context(0x0F, "vtl1", vtl=15))
    above = (set_register(0xD0007, 0x3F, vtl=0x1F), fence(READ, FIRST >> 12), VTL_RETURN)
    ran = run((*enable, VTL_CALL, store(FIRST)), above, (), vtls=16)
    assert (ran.denied, switches(ran), ran.end) == ([(0, FIRST)], [(0, 15), (15, 0)], "halted")


MARKED = [0x11, 0x22, 0x33, 0x44]
"""What VTL2 keeps where VTL1 has placed its assist page."""


def test_what_vtl2_fences_vtl1_does_not_reach_through_its_assist_page(run) -> None:
    """VTL1's assist page is in place when VTL2 takes it away. An entry of VTL1 writes no reason there, and a slow
    return gives VTL0 nothing that is there."""
    protect_by_2 = set_register(0xD0007, 0x3F, vtl=0x12)
    vtl2 = (put(FIRST, *MARKED), protect_by_2, fence(NONE, FIRST >> 12, vtl=1), VTL_RETURN)
    vtl1 = (set_register(0x90013, FIRST | 1), *SETUP_VTL2, VTL_CALL, VTL_RETURN, SLOW_RETURN)
    kept = f"mov r9, {STATUSES + 0x800:#x}\nmov [r9], rax\nmov [r9 + 8], rcx"
    ran = run((*SETUP, VTL_CALL, VTL_CALL, kept), vtl1, vtl2)
    assert ran.end == "halted"
    assert ran.words(FIRST, 4) == MARKED
    assert not set(ran.words(STATUSES + 0x800, 2)) & set(MARKED)


def test_what_vtl2_fences_takes_no_message_for_vtl1(run) -> None:
    """VTL1's message page is in place when VTL2 takes it away: VTL1 cannot be told, and the vCPU stops."""
    protect_by_2 = set_register(0xD0007, 0x3F, vtl=0x12)
    vtl2 = (put(FIRST, *[0] * 4), protect_by_2, fence(NONE, FIRST >> 12, vtl=1), VTL_RETURN)
    vtl1 = (*pages_of(1, 0x208000, FIRST), *SETUP_VTL2, VTL_CALL, protect(), fence(READ, SECOND >> 12), VTL_RETURN)
    ran = run((*SETUP, VTL_CALL, store(SECOND)), vtl1, vtl2, on_protection="intercept")
    assert (ran.end, ran.words(FIRST, 4)) == ("fenced", [0] * 4)


def test_pages_that_the_vmm_is_to_write_are_not_placed_where_vtl2_has_fenced(run) -> None:
    protect_by_2 = set_register(0xD0007, 0x3F, vtl=0x12)
    vtl2 = (protect_by_2, fence(READ, FIRST >> 12, vtl=1), VTL_RETURN)
    ran = run((*SETUP, VTL_CALL), (*SETUP_VTL2, VTL_CALL, *pages_of(1, FIRST, FIRST), VTL_RETURN), vtl2)
    refused = "INVALID_REGISTER_VALUE"
    assert [status for _, status, _ in ran.served][-3:] == [refused, "SUCCESS", refused]


def test_a_mask_of_the_vmms_own_is_told_to_nobody_where_vtl1_is_not_enabled(run) -> None:
    """Masks that a scenario begins with are as if of VTL1. With only VTL2 above, the access stays denied, and the vCPU
    does not try it for ever."""
    enable = (ENABLE_VTL2, with_context(0x0F, "vtl1", vtl=2))
    masks = [{"vtl": 0, "base": FIRST, "pages": 1, "mask": "RX"}]
    ran = run((*enable, VTL_CALL, store(FIRST)), (VTL_RETURN,), (), on_protection="intercept", masks=masks)
    assert (ran.end, ran.denied) == ("fenced", [(0, FIRST)])

"""Hypercalls whose input and output are in RDX, R8 and XMM0 to XMM5 (TLFS, XMM Fast Hypercall Input and Output)."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.abi.tlfs.interface import PARTITION_ID_SELF, VP_INDEX_SELF
from engine.model.events import MaskChanged
from tests.engine.machine.vsm_guest import (
    INPUT,
    PAGE,
    SETUP,
    STATUSES,
    VTL_CALL,
    VTL_RETURN,
    call,
    guest,
    protect,
    put,
)

OUT = STATUSES + 0x800
GFN = PAGE >> 12
FAST = 1 << 16
GET, RSP, RFLAGS = 0x50, 0x20004, 0x20011


def with_xmm(*words: int) -> str:
    """XMM0 and those behind it hold these words of 64 bits, two each."""
    loads = [f"movdqu xmm{n}, [rbx + {16 * n}]" for n in range((len(words) + 1) // 2)]
    return "\n".join([put(INPUT, *words), f"mov rbx, {INPUT:#x}", *loads])


def fast_fence(rights: int, *gfns: int) -> str:
    target = rights | 0x10 << 32
    return with_xmm(*gfns) + call(len(gfns) << 32 | FAST | 0x0C, PARTITION_ID_SELF, target)


def fast_get(*names: int) -> str:
    """XMM registers are stored at OUT afterwards."""
    words = [low | high << 32 for low, high in zip(names[::2], (*names[1::2], 0), strict=False)]
    store = [f"mov rbx, {OUT:#x}", *(f"movdqu [rbx + {16 * n}], xmm{n}" for n in range(6))]
    return "\n".join([with_xmm(*words), call(len(names) << 32 | FAST | GET, PARTITION_ID_SELF, VP_INDEX_SELF), *store])


@pytest.mark.parametrize("count", [1, 2, 11, 12])
def test_pages_are_fenced_by_their_numbers_in_xmm_registers(run, count) -> None:
    """Up to 12: 112 bytes less the header of 16, 8 each."""
    gfns = [GFN + 3 * n for n in range(count)]
    ran = run(guest(*SETUP, VTL_CALL, vtl1=(protect(), fast_fence(1, *gfns), VTL_RETURN)))
    assert ran.served[-1] == ("ModifyVtlProtectionMask", "SUCCESS", count)
    assert [event.first for event in ran.of(MaskChanged)] == gfns


def test_thirteen_pages_do_not_fit(run) -> None:
    ran = run(guest(*SETUP, VTL_CALL, vtl1=(protect(), fast_fence(1, *range(GFN, GFN + 13)), VTL_RETURN)))
    assert ran.served[-1] == ("ModifyVtlProtectionMask", "INVALID_HYPERCALL_INPUT", 0)
    assert ran.of(MaskChanged) == []


def test_registers_come_in_the_xmm_registers_behind_the_input(run) -> None:
    """Four names fill XMM0; their values are XMM1 to XMM4, and XMM5 stays."""
    mark = put(INPUT + 0x100, 0xAA, 0xBB) + f"\nmov rbx, {INPUT + 0x100:#x}\nmovdqu xmm5, [rbx]\nstd"
    ran = run(guest(mark, fast_get(RSP, RFLAGS, 0xD0003, RSP)))
    words = ran.words(OUT, 12)
    assert ran.served == [("GetVpRegisters", "SUCCESS", 4)]
    assert words[:2] == [RSP | RFLAGS << 32, 0xD0003 | RSP << 32]
    assert (words[2], words[3], words[4] & 0x400, words[6], words[8:10]) == (0x8FF8, 0, 0x400, 1 << 16, [0x8FF8, 0])
    assert words[10:] == [0xAA, 0xBB]


def test_row_6_five_names_have_no_room_for_their_values(run) -> None:
    ran = run(guest(fast_get(*[RSP] * 5)))
    assert ran.served == [("GetVpRegisters", "INVALID_HYPERCALL_INPUT", 0)]


def test_a_call_that_is_not_fast_leaves_the_xmm_registers(run) -> None:
    values = with_xmm(*range(1, 13))
    slow = put(INPUT, PARTITION_ID_SELF, VP_INDEX_SELF, RSP) + call(1 << 32 | GET, r8=OUT + 0x80)
    store = [f"mov rbx, {OUT:#x}", *(f"movdqu [rbx + {16 * n}], xmm{n}" for n in range(6))]
    ran = run(guest(values, slow, *store))
    assert ran.words(OUT, 12) == list(range(1, 13))


def test_vtl1_sees_the_xmm_registers_of_vtl0_and_may_change_them(run) -> None:
    """They are shared: what VTL1 leaves there, VTL0 goes on with."""
    vtl1 = (f"mov rbx, {OUT:#x}", "movdqu [rbx], xmm1", "movdqu xmm0, [rbx]", VTL_RETURN)
    after = (f"mov rbx, {OUT + 16:#x}", "movdqu [rbx], xmm0")
    ran = run(guest(*SETUP, with_xmm(1, 2, 3, 4), VTL_CALL, *after, vtl1=vtl1))
    assert ran.words(OUT, 4) == [3, 4, 3, 4]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, (1 << 64) - 1), min_size=12, max_size=12), st.integers(0, 0xFFF), st.integers(0, 0xFF))
def test_whatever_is_in_them_gets_a_status(run, words, count, code) -> None:
    """Any call code, any number of reps, any input: the guest goes on to its HLT."""
    ran = run(guest(with_xmm(*words), call(count << 32 | FAST | code, words[0], words[1])))
    assert ran.end == "halted"

"""TranslateVirtualAddress in a running machine, by the page tables that a VTL really has (row 20 of KUT-VSM)."""

import pytest

from engine.abi.tlfs.interface import PARTITION_ID_SELF, VP_INDEX_SELF
from engine.abi.tlfs.memory import CacheType, TranslateCode, TranslateResult
from engine.abi.tlfs.registers import RegisterName
from engine.model.layout import HYPERCALL_PAGE, PAGE_DIRECTORIES, PML4
from engine.vsm.layout import of_bits
from tests.engine.machine.vsm_guest import (
    INPUT,
    PAGE,
    SETUP,
    STATUSES,
    TABLES,
    VTL_CALL,
    VTL_RETURN,
    call,
    enabled,
    fence,
    guest,
    protect,
    put,
    set_register,
    tables,
)
from tests.engine.machine.vsm_run import Ran

OUT = STATUSES + 0x800
READ, WRITE, EXECUTE, MARK, USER = 1, 2, 4, 0x10, 0x80
VTL0, VTL1 = 0x10 << 56, 0x11 << 56
ALIAS = 0x4000_0000


def translate(gva: int, flags: int = READ, output: int = OUT) -> str:
    return put(INPUT, PARTITION_ID_SELF, VP_INDEX_SELF, flags, gva >> 12) + call(0x52, r8=output)


def answer(ran: Ran, at: int = OUT) -> tuple[TranslateCode, int, int]:
    """Code, gfn, and whether it is an overlay."""
    result, gfn = ran.words(at, 2)
    found = of_bits(TranslateResult, result)
    return TranslateCode(found.code), gfn, found.overlay_page


SLOTS = [{"slot": 0, "base": 0, "size": "4MiB"}]
CASES = {
    "RAM": (PAGE, READ | WRITE, (TranslateCode.SUCCESS, PAGE >> 12, 0)),
    "no slot": (0x50_0000, READ, (TranslateCode.GPA_UNMAPPED, 0, 0)),
    "beyond the tables": (1 << 40, READ, (TranslateCode.PAGE_NOT_PRESENT, 0, 0)),
    "not canonical": (1 << 47, READ, (TranslateCode.PAGE_NOT_PRESENT, 0, 0)),
    "a supervisor's page, for a user": (PAGE, READ | USER, (TranslateCode.PRIVILEGE_VIOLATION, 0, 0)),
    "the hypercall page": (HYPERCALL_PAGE, READ, (TranslateCode.SUCCESS, HYPERCALL_PAGE >> 12, 1)),
    "a store to it": (HYPERCALL_PAGE, WRITE, (TranslateCode.GPA_ILLEGAL_OVERLAY_ACCESS, HYPERCALL_PAGE >> 12, 1)),
}


@pytest.mark.parametrize(("gva", "flags", "expected"), CASES.values(), ids=CASES.keys())
def test_row_20_a_guest_translates_its_own_addresses(run, gva, flags, expected) -> None:
    ran = run(guest(translate(gva, flags)), slots=SLOTS)
    assert ran.served == [("TranslateVirtualAddress", "SUCCESS", 0)]
    assert answer(ran) == expected


def test_a_page_that_can_be_used_is_cached(run) -> None:
    ran = run(guest(translate(PAGE)))
    assert of_bits(TranslateResult, ran.words(OUT, 1)[0]).cache_type == CacheType.WRITE_BACK


def test_each_vtls_addresses_go_by_its_own_tables(run) -> None:
    """An address that leads to RAM in VTL1's tables alone, translated for both; and once VTL0 has the same tables."""
    move = f"mov rax, {TABLES:#x}\nmov cr3, rax"
    both = (translate(ALIAS + PAGE, READ | VTL0), translate(ALIAS + PAGE, READ | VTL1, OUT + 16), VTL_RETURN)
    again = (translate(ALIAS + PAGE, READ | VTL0, OUT + 32), VTL_RETURN)
    ran = run(guest(tables(), *enabled(cr3=TABLES), VTL_CALL, move, VTL_CALL, vtl1=(*both, *again)))
    here = (TranslateCode.SUCCESS, PAGE >> 12, 0)
    assert [answer(ran, OUT + 16 * n) for n in range(3)] == [(TranslateCode.GPA_UNMAPPED, 0, 0), here, here]


def test_a_mask_of_vtl1_shows_in_the_answer_for_vtl0_alone(run) -> None:
    fenced = (protect(), fence(1, PAGE >> 12))
    asked = (translate(PAGE, WRITE | VTL0), translate(PAGE, WRITE, OUT + 16), translate(PAGE, READ | VTL0, OUT + 32))
    ran = run(guest(*SETUP, VTL_CALL, vtl1=(*fenced, *asked, VTL_RETURN)))
    codes = [answer(ran, OUT + 16 * n)[0] for n in range(3)]
    assert codes == [TranslateCode.GPA_NO_WRITE_ACCESS, TranslateCode.SUCCESS, TranslateCode.SUCCESS]


@pytest.mark.parametrize(("flags", "marked"), [(READ, 0), (READ | MARK, 0x20)])
def test_accessed_bits_are_set_when_asked_for(run, flags, marked) -> None:
    """In tables that VTL0 is given, and goes no step with."""
    vtl1 = (set_register(RegisterName.CR3, TABLES, 0x10), translate(ALIAS + PAGE, flags | VTL0))
    ran = run(guest(tables(), *SETUP, VTL_CALL, vtl1=vtl1))
    assert answer(ran)[0] is TranslateCode.SUCCESS
    assert [ran.words(TABLES + at, 1)[0] & 0xFFF for at in (0, 0x1008)] == [3 | marked] * 2


def of_fenced_tables(rights: int, flags: int) -> tuple[str, ...]:
    """VTL1 gives VTL0 other tables, leaves it these rights to one of them, and translates for VTL0."""
    own = (tables(), set_register(RegisterName.CR3, TABLES, vtl=0x10), protect(), fence(rights, (TABLES >> 12) + 1))
    back = set_register(RegisterName.CR3, PML4, vtl=0x10)
    return (*own, translate(ALIAS + PAGE, flags | VTL0), back, VTL_RETURN)


def test_a_walk_does_not_tell_vtl0_what_it_may_not_read(run) -> None:
    """Else VTL0 could have any page read to it, as a table."""
    ran = run(guest(*enabled(), VTL_CALL, vtl1=of_fenced_tables(0, READ)))
    assert answer(ran) == (TranslateCode.GPA_NO_READ_ACCESS, 0, 0)


def test_a_walk_marks_no_table_that_vtl0_may_not_write(run) -> None:
    """Neither that one nor those above it."""
    ran = run(guest(*enabled(), VTL_CALL, vtl1=of_fenced_tables(0x1, READ | MARK)))
    assert answer(ran) == (TranslateCode.GPA_NO_WRITE_ACCESS, PAGE >> 12, 0)
    assert (ran.words(TABLES, 1), ran.words(TABLES + 0x1000, 1)) == ([TABLES + 0x1003], [PAGE_DIRECTORIES | 3])

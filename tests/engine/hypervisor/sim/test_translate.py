"""Walks through the slots: what is remembered, and what makes it forgotten."""

from engine.hypervisor.sim.code_pages import CodePages
from engine.hypervisor.sim.ram import Ram
from engine.hypervisor.sim.space import Space
from engine.hypervisor.sim.translate import Translator
from engine.model.layout import PAGE_DIRECTORIES, PML4
from engine.model.memslot import Memslot
from engine.model.rights import Rights
from engine.x86.paging import LARGE, PRESENT, WRITABLE, identity_tables

MIB = 1 << 20
RWX = int(Rights.R | Rights.W | Rights.KX)


def _tables(size: int = 2 * MIB) -> tuple[Space, Ram, Translator]:
    space, ram = Space(size, 2), Ram(size)
    space.set_memory_region(Memslot(0, 0, size, 0, 1))
    for gpa, table in identity_tables().items():
        ram.view[gpa : gpa + len(table)] = table
    return space, ram, Translator(space, ram, CodePages(size >> 12, 1))


def test_the_identity_map_leads_everywhere_below_four_gibibytes_and_writes_nothing() -> None:
    space, _, tables = _tables()
    for gva in (0, 0x12345, 0x7FFF_F123, (4 << 30) - 1):
        assert tables.translate(PML4, gva, write=True) == (gva, RWX)
    assert tables.translate(PML4, 4 << 30) is None
    assert not any(space.get_dirty_log(0))


def test_an_edited_entry_counts_at_once() -> None:
    _, ram, tables = _tables()
    assert tables.translate(PML4, 0x200123) == (0x200123, RWX)
    ram.words[(PAGE_DIRECTORIES >> 3) + 1] = 0x600000 | LARGE | WRITABLE | PRESENT
    assert tables.translate(PML4, 0x200123) == (0x600123, RWX & ~int(Rights.W))
    ram.words[(PAGE_DIRECTORIES >> 3) + 1] = 0
    assert tables.translate(PML4, 0x200123) is None


def test_a_page_not_written_yet_is_not_writable_without_asking() -> None:
    space, ram, tables = _tables()
    ram.words[(PAGE_DIRECTORIES >> 3) + 1] = 0x200000 | LARGE | WRITABLE | PRESENT
    assert tables.translate(PML4, 0x200000) == (0x200000, RWX & ~int(Rights.W))
    assert tables.translate(PML4, 0x200000, write=True) == (0x200000, RWX)
    assert space.get_dirty_log(0) == (1 << (PAGE_DIRECTORIES >> 12)).to_bytes(64, "little")


def test_tables_in_a_slot_that_goes_are_no_tables() -> None:
    space, _, tables = _tables()
    assert tables.translate(PML4, 0) is not None
    space.set_memory_region(Memslot(0, 0, 0, 0))
    assert tables.translate(PML4, 0) is None


def test_a_read_only_or_no_execute_mapping_faults_only_then() -> None:
    _, ram, tables = _tables()
    ram.words[PAGE_DIRECTORIES >> 3] = 0 | LARGE | PRESENT | 1 << 63
    assert tables.translate(PML4, 0x10) == (0x10, int(Rights.R))
    assert tables.translate(PML4, 0x10, write=True) is None
    assert tables.translate(PML4, 0x10, fetch=True) is None

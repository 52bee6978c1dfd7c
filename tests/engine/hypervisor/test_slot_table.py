"""The slot table against its definition: a list of slots, looked through from end to end."""

from hypothesis import given
from hypothesis import strategies as st

from engine.hypervisor.slot_table import SlotTable
from engine.model.address import PAGE_SIZE, PageRange
from engine.model.memslot import Memslot

regions = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 40), st.integers(0, 6)), max_size=20)


def tables(wanted: list[tuple[int, int, int]]) -> tuple[SlotTable, dict[int, Memslot]]:
    """A table and its model: slots put (size 0: removed) in turn, those that would overlap left out."""
    table, model = SlotTable(), dict[int, Memslot]()
    for number, first, pages in wanted:
        slot = Memslot(number, first * PAGE_SIZE, pages * PAGE_SIZE, 0)
        others = [other for other in model.values() if other.slot != number]
        overlaps = [other for other in others if other.pages.intersection(slot.pages).count]
        assert (table.overlapping(slot) in overlaps) if overlaps else (table.overlapping(slot) is None)
        if not overlaps:
            table.put(slot)
            model = {id: other for id, other in {**model, number: slot}.items() if other.size}
    return table, model


@given(regions, st.integers(0, 50))
def test_a_page_is_in_the_slot_that_has_it(wanted: list[tuple[int, int, int]], gfn: int) -> None:
    table, model = tables(wanted)
    assert table.by_id == model
    holders = [slot for slot in model.values() if gfn in slot.pages]
    assert table.at(gfn * PAGE_SIZE + 5) == (holders[0] if holders else None)


@given(regions, st.integers(0, 50), st.integers(0, 20))
def test_slots_within_a_range_are_those_that_have_some_of_it(
    wanted: list[tuple[int, int, int]], first: int, count: int
) -> None:
    table, model = tables(wanted)
    pages = PageRange(first, count)
    expected = [slot for slot in model.values() if slot.pages.intersection(pages).count]
    assert table.within(pages) == sorted(expected, key=lambda slot: slot.base)


def test_a_slot_of_another_address_space_is_known_by_id_only() -> None:
    table = SlotTable()
    table.put(Memslot(0, 0, PAGE_SIZE, 0))
    other = Memslot(1 << 16, 0, PAGE_SIZE, 0)
    assert table.overlapping(other) is None
    table.put(other)
    assert table.by_id[1 << 16] == other
    assert table.at(0) == Memslot(0, 0, PAGE_SIZE, 0)
    table.put(Memslot(1 << 16, 0, 0, 0))
    assert list(table.by_id) == [0]


@given(regions, regions)
def test_a_table_can_be_taken_back(before: list[tuple[int, int, int]], after: list[tuple[int, int, int]]) -> None:
    table, model = tables(before)
    state = table.state()
    assert table.state() is state
    for number, first, pages in after:
        slot = Memslot(number, first * PAGE_SIZE, pages * PAGE_SIZE, 0)
        if table.overlapping(slot) is None:
            table.put(slot)
    table.restore(state)
    assert table.by_id == model
    assert table.within(PageRange(0, 100)) == sorted(model.values(), key=lambda slot: slot.base)

"""Rights by page against a list with a value a page."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.hypervisor.kvm.masks import MaskTable
from engine.hypervisor.rights_table import PAGES, RWX, RightsTable
from engine.model.address import PageRange
from engine.model.page_set import PageSet
from engine.model.rights import Rights

SIZE = 64
rights = st.sampled_from([0, 1, 3, 13, 15])
ranges = st.builds(PageRange, st.integers(0, 60), st.integers(0, 4))
sets = st.builds(PageSet, st.sets(st.integers(0, SIZE - 1)))
edits = st.lists(st.tuples(ranges | sets, rights), max_size=12)
Edits = list[tuple[PageRange | PageSet, int]]


def model(made: Edits) -> list[int]:
    kept = [RWX] * SIZE
    for pages, value in made:
        for gfn in pages:
            kept[gfn] = value
    return kept


@given(edits)
def test_a_page_has_what_was_set_last(made: Edits) -> None:
    table = RightsTable(SIZE)
    for pages, value in made:
        table.set(pages, value)
    assert [table.get(gfn) for gfn in range(SIZE)] == model(made)
    assert table.copy(PageRange(0, SIZE + 2)) == bytes(model(made)) + b"\x0f\x0f"
    runs = table.restricted()
    told = dict.fromkeys(range(SIZE), Rights.RWX) | {gfn: value for run, value in runs for gfn in run}
    assert list(told.values()) == model(made)
    for (one, a), (two, b) in pairwise(runs):
        assert one.stop < two.first or (one.stop == two.first and a != b)


@given(edits, edits)
def test_a_table_can_be_taken_back(before: Edits, after: Edits) -> None:
    table = RightsTable(SIZE)
    for pages, value in before:
        table.set(pages, value)
    state = table.state()
    assert table.state() is state
    for pages, value in after:
        table.set(pages, value)
    table.restore(state)
    assert list(table.copy(PageRange(0, SIZE))) == model(before)


@given(edits)
def test_mappings_are_counted_by_where_rights_change(made: Edits) -> None:
    table = MaskTable()
    for pages, value in made:
        table.set(pages, value)
    kept = [*model(made), RWX]
    assert table.edges == sum(one != two for one, two in pairwise(kept))


def test_runs_can_be_cut_to_a_range() -> None:
    table = RightsTable(SIZE)
    table.set(PageRange(8, 8), 1)
    assert list(table.runs(PageRange(10, 2))) == [(10, 2, 1)]


@pytest.mark.parametrize("pages", [PageRange(63, 2), PageSet([0, 64])])
def test_pages_past_the_last_are_refused(pages: PageRange | PageSet) -> None:
    with pytest.raises(IndexError):
        RightsTable(SIZE).set(pages, 1)


def test_every_page_beyond_may_do_all() -> None:
    assert RightsTable().get(PAGES) == RWX

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.address import PageRange
from engine.model.rights import Rights
from engine.model.rights_map import RightsMap

edits = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 4), st.sampled_from([0, 1, 3, 13, 15])), max_size=12)


@given(edits)
def test_runs_say_what_was_set_last(made: list[tuple[int, int, int]]) -> None:
    kept, model = RightsMap(64), [15] * 64
    for first, count, rights in made:
        kept.set(PageRange(first, count), Rights(rights))
        model[first : first + count] = [rights] * count
    told = [15] * 64
    for first, count, rights in kept.runs():
        told[first : first + count] = [rights] * count
    assert told == model


def test_runs_can_be_cut_to_a_range() -> None:
    kept = RightsMap(64)
    kept.set(PageRange(8, 8), Rights.R)
    assert list(kept.runs(PageRange(10, 2))) == [(10, 2, 1)]


def test_pages_past_the_guest_are_refused() -> None:
    with pytest.raises(IndexError):
        RightsMap(64).set(PageRange(63, 2), Rights.R)

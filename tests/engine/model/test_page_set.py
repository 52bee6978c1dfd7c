from hypothesis import given
from hypothesis import strategies as st

from engine.model.address import PageRange
from engine.model.page_set import PageSet

gfns = st.sets(st.integers(0, 300))


@given(gfns, gfns)
def test_it_is_a_set(a: set[int], b: set[int]) -> None:
    left, right = PageSet(a), PageSet(b)
    assert set(left | right) == a | b
    assert set(left & right) == a & b
    assert set(left - right) == a - b
    assert (len(left), left == right) == (len(a), a == b)


@given(gfns)
def test_text_and_bitmap_read_back(a: set[int]) -> None:
    assert PageSet.parse(PageSet(a).text()) == PageSet(a)
    assert PageSet.of_bitmap(PageSet(a).bitmap(301)) == PageSet(a)


def test_runs_are_maximal_and_written_as_gpa_plus_count() -> None:
    assert PageSet([0x210, 0x211, 0x300]).text() == ["0x210000+2", "0x300000+1"]


def test_a_slots_bitmap_starts_at_its_first_page() -> None:
    assert list(PageSet.of_bitmap(b"\x05", first=512)) == [512, 514]
    assert PageSet.of_range(PageRange(4, 3)) == PageSet([4, 5, 6])

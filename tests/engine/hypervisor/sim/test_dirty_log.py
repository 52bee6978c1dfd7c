"""One slot's dirty log against a set of page numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.hypervisor.sim.dirty_log import DirtyLog
from engine.model.address import PageRange
from engine.model.page_set import PageSet

CHUNK = 32_768
PAGES = 2 * CHUNK + 100
ALL = PageSet.of_range(PageRange(0, PAGES))
EVERY_OTHER = b"\x55" * (PAGES // 8 + 8)
pages = st.sampled_from([0, 1, 63, 64, 65, CHUNK - 1, CHUNK, CHUNK + 64, 2 * CHUNK - 1, 2 * CHUNK, PAGES - 1])
steps = st.lists(st.tuples(st.sampled_from(["mark", "wipe", "clear", "empty", "keep", "go back"]), pages), max_size=15)


def dirty(log: DirtyLog) -> PageSet:
    return PageSet.of_bitmap(log.bitmap())


@given(st.booleans(), steps)
def test_a_log_is_a_set_of_pages_that_can_be_taken_back(full: bool, taken: list[tuple[str, int]]) -> None:
    log = DirtyLog(PAGES, full)
    model = kept_model = ALL if full else PageSet()
    kept = log.state()
    for step, page in taken:
        match step:
            case "mark":
                log.mark(page)
                model |= PageSet([page])
            case "wipe":
                log.wipe(page)
                model -= PageSet([page])
            case "clear":
                first = page // 64 * 64
                log.clear(first, EVERY_OTHER[: (PAGES - first + 63) // 64 * 8])
                model -= PageSet.of_bitmap(EVERY_OTHER, first) & ALL
            case "empty":
                log.empty()
                model = PageSet()
            case "keep":
                kept, kept_model = log.state(), model
            case _:
                log.restore(kept)
                model = kept_model
    assert dirty(log) == model
    assert bool(log.has(PAGES - 1)) == (PAGES - 1 in model)
    assert not (log.clean and model)


@pytest.mark.parametrize("pages", [1, 64, 65, CHUNK, CHUNK + 1])
@pytest.mark.parametrize("full", [False, True])
def test_a_bitmap_is_whole_words_and_has_no_bit_past_the_last_page(pages: int, full: bool) -> None:
    log = DirtyLog(pages, full)
    log.mark(0)
    assert len(log.bitmap()) == (pages + 63) // 64 * 8
    assert len(dirty(log)) == (pages if full else 1)


def test_a_state_shares_what_has_not_changed() -> None:
    log = DirtyLog(PAGES)
    log.mark(0)
    log.mark(CHUNK)
    first = log.state()
    assert log.state() is first
    log.mark(CHUNK + 1)
    second = log.state()
    assert second.chunks[0] is first.chunks[0]
    assert second.chunks[1] is not first.chunks[1]

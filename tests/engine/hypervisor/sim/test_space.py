"""The space alone: scale, translation, and the log, without an emulator."""

import ast
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine.hypervisor.sim as package
from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.sim.space import Space
from engine.model.address import PAGE_SIZE, PageRange
from engine.model.memslot import Memslot
from engine.model.page_set import PageSet
from engine.model.rights import Rights

GIB = 1 << 30


def test_only_the_core_knows_the_emulator() -> None:
    folder = Path(next(iter(package.__path__)))
    users = {path.parent.name for path in folder.rglob("*.py") if "unicorn" in _imports(path)}
    assert users == {"cpu"}


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_a_hundred_thousand_scattered_masks_and_a_million_page_log_are_quick() -> None:
    space = Space(4 * GIB, 2)
    space.set_memory_region(Memslot(0, 0, 4 * GIB, 0, 1))
    start = time.perf_counter()
    space.set_mask(0, PageSet(range(0, 1_000_000, 10)), Rights.R)
    runs = space.masks(0)
    space.mark_dirty(999_999)
    bitmap = space.get_dirty_log(0)
    # About 0.4 s on an idle core; the bound only tells linear from quadratic.
    assert time.perf_counter() - start < 10
    assert len(runs) == 100_000
    assert PageSet.of_bitmap(bitmap).text() == ["0xf423f000+1"]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 6), st.integers(0, 10)), max_size=8), st.integers(0, 60))
def test_a_page_leads_where_its_slot_says(wanted: list[tuple[int, int, int]], gfn: int) -> None:
    space = Space(64 * PAGE_SIZE, 2)
    for number, (first, pages, offset) in enumerate(wanted):
        try:
            space.set_memory_region(Memslot(number, first * PAGE_SIZE, pages * PAGE_SIZE, offset * PAGE_SIZE))
        except HypervisorError:
            continue
    holders = [slot for slot in space.slots.by_id.values() if gfn in slot.pages]
    assert len(holders) <= 1
    expected = holders[0].offset + gfn * PAGE_SIZE - holders[0].base + 5 if holders else None
    assert space.offset(gfn * PAGE_SIZE + 5) == expected


def test_a_log_goes_with_its_slot_when_it_moves_and_is_gone_when_it_is_not_logged() -> None:
    space = Space(1 << 20, 2)
    space.set_memory_region(Memslot(0, 0, 1 << 20, 0, 1))
    space.mark_dirty(3)
    space.set_memory_region(Memslot(0, 1 << 20, 1 << 20, 0, 1))
    assert PageSet.of_bitmap(space.get_dirty_log(0)) == PageSet([3])
    space.mark_dirty(256 + 5)
    space.set_memory_region(Memslot(0, 1 << 20, 1 << 20, 0, 0))
    with pytest.raises(HypervisorError):
        space.get_dirty_log(0)
    space.set_memory_region(Memslot(0, 1 << 20, 1 << 20, 0, 1))
    assert not PageSet.of_bitmap(space.get_dirty_log(0))


def test_a_tebibyte_is_logged_at_one_bit_a_page() -> None:
    pages = 1 << 28
    space = Space(pages * PAGE_SIZE, 2)
    space.set_memory_region(Memslot(0, 0, pages * PAGE_SIZE, 0, 1))
    marked = [0, 1, pages // 2, pages - 1]
    tracemalloc.start()
    for gfn in marked:
        space.mark_dirty(gfn)
    assert tracemalloc.get_traced_memory()[0] < pages // 8
    bitmap = space.get_dirty_log(0)
    assert tracemalloc.get_traced_memory()[1] < 2 * pages // 8
    tracemalloc.stop()
    assert len(bitmap) == pages // 8
    assert PageSet.of_bitmap(bitmap) == PageSet(marked)


def test_reading_a_clean_log_disturbs_nobody() -> None:
    space = Space(1 << 20, 2)
    space.set_memory_region(Memslot(0, 0, 1 << 20, 0, 1))
    before = space.generation
    space.get_dirty_log(0)
    assert space.generation == before
    space.mark_dirty(0)
    space.get_dirty_log(0)
    assert space.generation > before


def test_what_is_allowed_is_the_mask_alone() -> None:
    space = Space(1 << 20, 2)
    space.set_mask(0, PageRange(7, 1), Rights.RX)
    assert space.allowed(0, 7) == int(Rights.RX)
    assert space.allowed(1, 7) == int(Rights.RWX)

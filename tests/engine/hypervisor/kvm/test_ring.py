"""A kernel's ring as userspace reads it, against a model of the kernel that overruns as kvm_pvm's does."""

import mmap
import os
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.abi import kvm
from engine.hypervisor.kvm.ring import DirtyRing
from engine.model.dirty import DirtyPage

ENTRIES = 256
SIZE = ENTRIES * kvm.DIRTY_GFN_SIZE
SOFT_LIMIT = ENTRIES - 64
OFFSET = kvm.DIRTY_LOG_PAGE_OFFSET * mmap.PAGESIZE


class Kernel:
    """virt/kvm/dirty_ring.c: push writes on whatever is there, reset stops at what is not harvested."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("ring")
        os.ftruncate(self.fd, OFFSET + SIZE)
        self._words = memoryview(mmap.mmap(self.fd, SIZE, offset=OFFSET)).cast("I")
        self._dirty = self._reset = 0
        self.pushed = 0

    @property
    def full(self) -> bool:
        return self._dirty - self._reset >= SOFT_LIMIT

    def push(self, pages: int) -> None:
        for _ in range(pages):
            at = self._dirty % ENTRIES * 4
            self._words[at + 1], self._words[at + 2], self._words[at] = 1, self.pushed, kvm.DIRTY_GFN_DIRTY
            self._dirty += 1
            self.pushed += 1

    def reset(self) -> None:
        while self._words[self._reset % ENTRIES * 4] & kvm.DIRTY_GFN_RESET:
            self._words[self._reset % ENTRIES * 4] = 0
            self._reset += 1
        assert self._reset <= self._dirty


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    made = Kernel()
    yield made
    os.close(made.fd)


def _enter(kernel: Kernel, ring: DirtyRing, pages: int) -> bool:
    """A vCPU that writes `pages` new pages in the guest, and hears of a full ring only when it enters."""
    while kernel.full:
        if not ring.free_when_stuck(ring.serial):
            return False
        kernel.reset()
        ring.was_reset()
    kernel.push(pages)
    return True


def _empty(kernel: Kernel, ring: DirtyRing) -> tuple[list[int], bool]:
    found, lost = ring.harvest()
    kernel.reset()
    ring.was_reset()
    assert all(page.slot == 1 for page in found)
    return [page.offset for page in found], lost


def test_entries_are_told_in_order_and_once(kernel: Kernel) -> None:
    ring = DirtyRing(kernel.fd, SIZE)
    kernel.push(3)
    assert ring.harvest() == ([DirtyPage(1, 0), DirtyPage(1, 1), DirtyPage(1, 2)], False)
    assert ring.harvest() == ([], False)
    for _ in range(10):
        kernel.reset()
        ring.was_reset()
        kernel.push(100)
        assert len(ring.harvest()[0]) == 100
    ring.close()


def test_a_ring_full_to_the_last_entry_has_lost(kernel: Kernel) -> None:
    ring = DirtyRing(kernel.fd, SIZE)
    kernel.push(ENTRIES + 10)
    told, lost = _empty(kernel, ring)
    assert lost
    assert sorted(told) == list(range(10, ENTRIES + 10))
    assert _enter(kernel, ring, 5)
    assert _empty(kernel, ring) == (list(range(ENTRIES + 10, ENTRIES + 15)), True)
    assert _enter(kernel, ring, 5)
    assert _empty(kernel, ring) == (list(range(ENTRIES + 15, ENTRIES + 20)), False)
    ring.close()


def test_a_ring_that_is_full_and_empty_is_freed(kernel: Kernel) -> None:
    """Overrun so far that the kernel would never let the vCPU in again."""
    ring = DirtyRing(kernel.fd, SIZE)
    kernel.push(5 * ENTRIES + 100)
    assert _empty(kernel, ring)[1]
    assert kernel.full
    assert _enter(kernel, ring, 7)
    assert _empty(kernel, ring)[0][-7:] == list(range(5 * ENTRIES + 100, 5 * ENTRIES + 107))
    ring.close()


def test_entries_written_over_between_harvest_and_reset_are_a_loss(kernel: Kernel) -> None:
    ring = DirtyRing(kernel.fd, SIZE)
    kernel.push(100)
    assert len(ring.harvest()[0]) == 100
    kernel.push(200)
    kernel.reset()
    ring.was_reset()
    told, lost = _empty(kernel, ring)
    assert lost
    assert set(told) >= set(range(256, 300))
    assert _enter(kernel, ring, 20)
    assert set(_empty(kernel, ring)[0]) >= set(range(300, 320))
    ring.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3 * ENTRIES), max_size=30))
def test_whatever_is_written_is_told_or_lost_and_the_ring_never_stays_stuck(batches: list[int]) -> None:
    kernel = Kernel()
    ring = DirtyRing(kernel.fd, SIZE)
    for pages in batches:
        first = kernel.pushed
        assert _enter(kernel, ring, pages)
        told, lost = _empty(kernel, ring)
        assert lost or told == list(range(first, first + pages))
    ring.close()
    os.close(kernel.fd)

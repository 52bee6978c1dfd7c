"""Guest-virtual to guest-physical: walks the guest's own page tables through the slots, and remembers walks.

A remembered walk is used only while every entry it read still has the value it had, and no slot has changed: a
guest that edits its tables is always obeyed, at the price of a few comparisons. Masks do not bind the walk itself.
"""

from collections.abc import Callable
from operator import itemgetter

import msgspec

from engine.hypervisor.sim.code_pages import CodePages
from engine.hypervisor.sim.ram import Ram
from engine.hypervisor.sim.space import Space
from engine.model.address import PAGE_SHIFT, PAGE_SIZE
from engine.model.rights import Rights
from engine.x86.paging import ACCESSED, DIRTY, Translation, walk

_LARGE_SHIFT = 21
_REMEMBERED = 8192


class Leaf(msgspec.Struct, frozen=True, gc=False):
    """Where a page of 4 KiB or more leads: `base` is its gpa, `inside` the mask of the offset within."""

    base: int
    inside: int
    writable: bool
    executable: bool
    user: bool
    dirty: bool
    rights: int
    entries: Callable[[memoryview], tuple[int, ...]]
    """Reads, from RAM's words, every entry that was walked."""
    values: tuple[int, ...]
    """What they were."""


class Translator:
    """One vCPU's walks."""

    def __init__(self, space: Space, ram: Ram, code: CodePages) -> None:
        self._space, self._words, self._past, self._code = space, ram.words, ram.past, code
        self._large: dict[int, Leaf] = {}
        self._small: dict[int, Leaf] = {}
        """By the number of the 2 MiB, or else of the page."""
        self._cr3 = self._layout = -1

    def translate(
        self, cr3: int, gva: int, write: bool = False, fetch: bool = False, user: bool = False
    ) -> tuple[int, int] | None:
        """(gpa, Rights bits that the tables leave now) of `gva`; None for a page fault. `user`: for ring 3."""
        if cr3 != self._cr3 or self._layout != self._space.layout:
            self._begin(cr3)
        leaf = self._large.get(gva >> _LARGE_SHIFT) or self._small.get(gva >> PAGE_SHIFT)
        if leaf is None or (write and not leaf.dirty) or leaf.entries(self._words) != leaf.values:
            leaf = self._walked(cr3, gva, write)
        # CR0.WP is set: a supervisor store obeys the tables' W bit too.
        if leaf is None or (write and not leaf.writable) or (fetch and not leaf.executable):
            return None
        if user and not leaf.user:
            return None
        return leaf.base | (gva & leaf.inside), leaf.rights

    def _begin(self, cr3: int) -> None:
        """Forget the walks through other tables, or through slots as they were."""
        self._large.clear()
        self._small.clear()
        self._cr3, self._layout = cr3, self._space.layout

    def _walked(self, cr3: int, gva: int, write: bool) -> Leaf | None:
        try:
            found = walk(self._word, cr3, gva)
        except _VoidTableError:
            return None
        if found is None:
            return None
        if write and found.writable:
            found = self._touched(found, DIRTY)
        leaf = self._leaf(self._touched(found, 0))
        self._remember(gva, leaf)
        return leaf

    def _remember(self, gva: int, leaf: Leaf) -> None:
        if len(self._small) + len(self._large) >= _REMEMBERED:
            self._small.clear()
            self._large.clear()
        if leaf.inside >= (1 << _LARGE_SHIFT) - 1:
            self._large[gva >> _LARGE_SHIFT] = leaf
        else:
            self._large.pop(gva >> _LARGE_SHIFT, None)
            self._small[gva >> PAGE_SHIFT] = leaf

    def _leaf(self, found: Translation) -> Leaf:
        inside = found.page_size - 1
        entries = itemgetter(*(self._index(at) for at, _ in found.entries))
        values = tuple(value for _, value in found.entries)
        dirty = bool(found.entries[-1][1] & DIRTY)
        # While the dirty bit is clear, a write must come here to set it.
        rights = Rights.R | (Rights.W if found.writable and dirty else 0) | (Rights.KX if found.executable else 0)
        base, may = found.gpa & ~inside, (found.writable, found.executable, found.user)
        return Leaf(base, inside, *may, dirty, int(rights), entries, values)

    def _touched(self, found: Translation, leaf_bits: int) -> Translation:
        """As a walk by hardware: sets accessed in every entry, and the leaf's dirty bit on a write."""
        last = len(found.entries) - 1
        entries = tuple(
            (at, value | ACCESSED | (leaf_bits if level == last else 0))
            for level, (at, value) in enumerate(found.entries)
        )
        if entries == found.entries:
            return found
        for at, value in entries:
            self._store(at, value)
        return msgspec.structs.replace(found, entries=entries)

    def _store(self, gpa: int, value: int) -> None:
        index = self._index(gpa)
        if self._words[index] != value:
            self._past.keep(index * 8 // PAGE_SIZE)
            self._words[index] = value
            self._space.mark_dirty(gpa >> PAGE_SHIFT)
            self._code.host_wrote(index * 8 // PAGE_SIZE)

    def _word(self, gpa: int) -> int:
        return self._words[self._index(gpa)]

    def _index(self, gpa: int) -> int:
        offset = self._space.offset(gpa)
        if offset is None:
            raise _VoidTableError
        return offset >> 3


class _VoidTableError(Exception):
    """A page table lies in no slot: the walk reads nothing, which is a page fault here."""

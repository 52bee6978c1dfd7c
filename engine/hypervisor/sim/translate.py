"""Guest-virtual to guest-physical: walks the guest's own page tables through the slots, and remembers walks.

A remembered walk is used only while every entry it read still has the value it had, and no slot has changed: a
guest that edits its tables is always obeyed, at the price of a few comparisons. Masks do not bind the walk itself.
"""

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
    dirty: bool
    rights: int
    checks: tuple[tuple[int, int], ...]
    """(index into RAM's words, value) of each entry walked."""


class Translator:
    """One vCPU's walks."""

    def __init__(self, space: Space, ram: Ram, code: CodePages) -> None:
        self._space, self._words, self._code = space, ram.words, code
        self._leaves: dict[tuple[int, int], Leaf] = {}
        self._generation = -1

    def translate(self, cr3: int, gva: int, write: bool = False, fetch: bool = False) -> tuple[int, int] | None:
        """(gpa, Rights bits that the tables leave now) of `gva`; None for a page fault."""
        leaf = self._remembered(cr3, gva)
        if leaf is None or (write and not leaf.dirty):
            leaf = self._walked(cr3, gva, write)
        # CR0.WP is set: a supervisor store obeys the tables' W bit too.
        if leaf is None or (write and not leaf.writable) or (fetch and not leaf.executable):
            return None
        return leaf.base | (gva & leaf.inside), leaf.rights

    def _remembered(self, cr3: int, gva: int) -> Leaf | None:
        if self._generation != self._space.generation:
            self._leaves.clear()
            self._generation = self._space.generation
        found = self._leaves.get((cr3, gva >> _LARGE_SHIFT << 1)) or self._leaves.get((cr3, gva >> PAGE_SHIFT << 1 | 1))
        if found is None or any(self._words[at] != value for at, value in found.checks):
            return None
        return found

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
        self._remember(cr3, gva, leaf)
        return leaf

    def _remember(self, cr3: int, gva: int, leaf: Leaf) -> None:
        if len(self._leaves) >= _REMEMBERED:
            self._leaves.clear()
        large = leaf.inside >= (1 << _LARGE_SHIFT) - 1
        self._leaves[(cr3, gva >> _LARGE_SHIFT << 1 if large else gva >> PAGE_SHIFT << 1 | 1)] = leaf

    def _leaf(self, found: Translation) -> Leaf:
        inside = found.page_size - 1
        checks = tuple((self._index(at), value) for at, value in found.entries)
        dirty = bool(found.entries[-1][1] & DIRTY)
        # While the dirty bit is clear, a write must come here to set it.
        rights = Rights.R | (Rights.W if found.writable and dirty else 0) | (Rights.KX if found.executable else 0)
        return Leaf(found.gpa & ~inside, inside, found.writable, found.executable, dirty, int(rights), checks)

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

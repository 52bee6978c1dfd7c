"""The memslots of a guest by id and by address: what both hypervisors keep of them."""

from bisect import bisect_left, bisect_right

from engine.model.address import PageRange
from engine.model.memslot import Memslot

ADDRESS_SPACE_SHIFT = 16
"""Slot numbers above it name an address space (api.rst 4.35). Guests here run in the first alone, never in SMM."""

SlotState = tuple[dict[int, Memslot], list[int], list[Memslot]]
"""What a table held at a moment, opaque."""


class SlotTable:
    """Present slots. They do not overlap within an address space, so at most one of the first holds a gpa."""

    def __init__(self) -> None:
        self.by_id: dict[int, Memslot] = {}
        self._bases: list[int] = []
        self._slots: list[Memslot] = []
        """By address, a slot for each base. It is never the shorter of the two, not even while they change."""
        self._kept: SlotState | None = None

    def put(self, slot: Memslot) -> None:
        """Add or replace; size 0 removes."""
        self._kept = None
        old = self.by_id.get(slot.slot)
        if slot.size:
            self.by_id[slot.slot] = slot
        elif old is not None:
            del self.by_id[slot.slot]
        if slot.slot >> ADDRESS_SPACE_SHIFT == 0:
            self._replace(old, slot)

    def at(self, gpa: int) -> Memslot | None:
        """The slot that holds `gpa`; None in the void. While another thread changes slots, one may be missed."""
        index = bisect_right(self._bases, gpa) - 1
        if index < 0:
            return None
        slot = self._slots[index]
        return slot if slot.base <= gpa < slot.base + slot.size else None

    def within(self, pages: PageRange) -> list[Memslot]:
        """Slots that hold any of `pages`, ascending."""
        bases, slots = self._bases, self._slots
        if not pages.count:
            return []
        first = bisect_right(bases, pages.base) - 1
        if first < 0 or slots[first].base + slots[first].size <= pages.base:
            first += 1
        return slots[first : bisect_left(bases, pages.base + pages.size)]

    def overlapping(self, new: Memslot) -> Memslot | None:
        """A present slot of another id that holds some of the same pages; None when `new` may go there."""
        if new.slot >> ADDRESS_SPACE_SHIFT:
            return None
        return next((other for other in self.within(new.pages) if other.slot != new.slot), None)

    def pieces(self, gpa: int, size: int) -> list[tuple[Memslot, int, int]] | None:
        """(slot, first byte in RAM, length) for each part of `size` bytes at `gpa`; None when a byte is in the void."""
        found: list[tuple[Memslot, int, int]] = []
        while size:
            slot = self.at(gpa)
            if slot is None:
                return None
            length = min(size, slot.base + slot.size - gpa)
            found.append((slot, slot.offset + gpa - slot.base, length))
            gpa, size = gpa + length, size - length
        return found

    def state(self) -> SlotState:
        """For a snapshot; the same object as long as nothing is put."""
        if self._kept is None:
            self._kept = self.by_id.copy(), self._bases.copy(), self._slots.copy()
        return self._kept

    def restore(self, state: SlotState) -> bool:
        """Whether another slot may now be found at an address."""
        moved = self._kept is not state
        if moved:
            self._kept = state
            self.by_id, self._bases, self._slots = state[0].copy(), state[1].copy(), state[2].copy()
        return moved

    def _replace(self, old: Memslot | None, new: Memslot) -> None:
        bases, slots = self._bases, self._slots
        if old is not None:
            index = bisect_left(bases, old.base)
            del bases[index]
            del slots[index]
        if new.size:
            index = bisect_left(bases, new.base)
            slots.insert(index, new)
            bases.insert(index, new.base)

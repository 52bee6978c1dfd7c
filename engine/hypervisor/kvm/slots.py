"""The memslots of a guest by id and by address, and what is wrong with a region the kernel has refused."""

from bisect import bisect_right

from engine.model.address import PAGE_SIZE
from engine.model.memslot import Memslot, SlotFlags

KNOWN_FLAGS = SlotFlags.LOG | SlotFlags.READONLY
About = tuple[str, object, str]


class SlotTable:
    """Present slots. KVM keeps them from overlapping, so at most one holds a gpa."""

    def __init__(self) -> None:
        self.by_id: dict[int, Memslot] = {}
        self._sorted: tuple[list[int], list[Memslot]] = ([], [])

    def put(self, slot: Memslot) -> None:
        """Add or replace; size 0 removes."""
        if slot.size:
            self.by_id[slot.slot] = slot
        else:
            self.by_id.pop(slot.slot, None)
        present = sorted(self.by_id.values(), key=lambda one: one.base)
        self._sorted = ([one.base for one in present], present)

    def at(self, gpa: int) -> Memslot | None:
        """The slot that holds `gpa`. Needs no lock: both lists are replaced at once."""
        bases, slots = self._sorted
        index = bisect_right(bases, gpa) - 1
        return slots[index] if index >= 0 and slots[index].contains(gpa) else None

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


def refused(slot: Memslot, table: SlotTable, max_slots: int) -> About:
    """The argument, value and rule (errno table of KVM_SET_USER_MEMORY_REGION) that a refused region broke."""
    present = table.by_id.get(slot.slot)
    if not 0 <= slot.slot < max_slots:
        return ("slot", slot.slot, f"slot ids are 0 to {max_slots - 1}")
    if slot.size == 0:
        return ("slot", slot.slot, "there is no such slot to delete")
    for name in ("base", "size", "offset"):
        if getattr(slot, name) % PAGE_SIZE:
            return (name, getattr(slot, name), f"must be a multiple of {PAGE_SIZE:#x}")
    if slot.flags & ~KNOWN_FLAGS:
        return ("flags", slot.flags, "known flags are LOG (1) and READONLY (2)")
    if present:
        return _change_refused(slot, present, table)
    return _overlapping(slot, table) or ("base", slot.base, "")


def _change_refused(slot: Memslot, present: Memslot, table: SlotTable) -> About:
    if slot.size != present.size:
        return ("size", slot.size, "a slot cannot be resized: delete it first")
    if slot.offset != present.offset:
        return ("offset", slot.offset, "a slot's backing cannot change: delete it first")
    if slot.readonly != present.readonly:
        return ("flags", slot.flags, "READONLY can only be set when a slot is made")
    return _overlapping(slot, table) or ("base", slot.base, "")


def _overlapping(slot: Memslot, table: SlotTable) -> About | None:
    for other in table.by_id.values():
        if other.slot != slot.slot and other.base < slot.base + slot.size and slot.base < other.base + other.size:
            return ("base", slot.base, f"overlaps slot {other.slot} at {other.base:#x}")
    return None

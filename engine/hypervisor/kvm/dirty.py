"""Pages that the VMM itself wrote: no kernel marks them. Merged into the dirty log, or with rings told apart."""

from engine.model.address import PAGE_SHIFT
from engine.model.dirty import DirtyPage
from engine.model.memslot import Memslot
from engine.model.page_set import PageSet


class VmmDirty:
    """Per logged slot a bitmap as an integer, bit 0 the slot's first page. Guarded by the vm's lock."""

    def __init__(self) -> None:
        self._bits: dict[int, int] = {}

    def mark(self, slot: Memslot, ram_offset: int, size: int) -> None:
        """`size` bytes at `ram_offset` of RAM were written through `slot`; nothing when it is not logged."""
        if not slot.logged:
            return
        first = (ram_offset - slot.offset) >> PAGE_SHIFT
        last = (ram_offset - slot.offset + size - 1) >> PAGE_SHIFT
        self._bits[slot.slot] = self._bits.get(slot.slot, 0) | ((1 << (last - first + 1)) - 1) << first

    def peek(self, slot: int) -> int:
        return self._bits.get(slot, 0)

    def take(self, slot: int) -> int:
        return self._bits.pop(slot, 0)

    def clear(self, slot: int, bits: int) -> None:
        self._bits[slot] = self._bits.get(slot, 0) & ~bits

    def take_all(self) -> tuple[DirtyPage, ...]:
        """Every page of every slot, ascending."""
        found, self._bits = sorted(self._bits.items()), {}
        return tuple(DirtyPage(slot, page) for slot, bits in found for page in PageSet.of_bits(bits))

    def slot_changed(self, before: Memslot | None, after: Memslot | None) -> None:
        """The log lives as long as the slot is there and logged, as the kernel's does; a move keeps it."""
        if before and not (after and after.logged):
            self._bits.pop(before.slot, None)

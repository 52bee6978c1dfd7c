"""Dirty tracking: a byte a page per logged slot, packed into KVM's bitmap when it is read (api.rst 4.8, 4.117)."""

import numpy as np

from engine.model.dirty import DirtyPage, DirtyWay
from engine.model.memslot import Memslot


class DirtyLogs:
    """Logs by slot id. A log lives as long as its slot is logged: moving keeps it, dropping the flag forgets it.

    With rings, a page's byte says that some vCPU's ring has it; what the VMM writes is kept apart.
    """

    def __init__(self) -> None:
        self.way: DirtyWay = "log"
        self.initially_set = False
        self._logs: dict[int, bytearray] = {}
        self._outside: set[tuple[int, int]] = set()

    def follow(self, slot: Memslot) -> None:
        """A slot was made, changed, moved or (size 0) deleted."""
        if slot.size == 0 or not slot.logged:
            self._logs.pop(slot.slot, None)
            self._outside = {page for page in self._outside if page[0] != slot.slot}
        elif slot.slot not in self._logs:
            self._logs[slot.slot] = bytearray([self.initially_set]) * (slot.size >> 12)

    def logged(self, slot: int) -> bool:
        return slot in self._logs

    def mark(self, slot: Memslot, gfn: int) -> None:
        """Nothing happens when the slot is not logged."""
        log = self._logs.get(slot.slot)
        if log is not None:
            log[gfn - (slot.base >> 12)] = 1

    def mark_outside(self, slot: Memslot, gfn: int) -> None:
        """Written by the VMM: no ring takes it."""
        if self.way != "ring":
            self.mark(slot, gfn)
        elif slot.slot in self._logs:
            self._outside.add((slot.slot, gfn - (slot.base >> 12)))

    def to_rings(self) -> None:
        """Before there is a vCPU: what has been written by now, the VMM wrote."""
        self.way = "ring"
        for slot, log in self._logs.items():
            self._outside |= {(slot, page) for page, noted in enumerate(log) if noted}
            log[:] = bytes(len(log))

    def take_outside(self) -> tuple[DirtyPage, ...]:
        found, self._outside = sorted(self._outside), set()
        return tuple(DirtyPage(slot, offset) for slot, offset in found)

    def unseen(self, slot: Memslot, gfn: int) -> bool:
        """Whether a write to this page is still to be noted, so that it must not go unseen."""
        log = self._logs.get(slot.slot)
        return log is not None and not log[gfn - (slot.base >> 12)]

    def take(self, slot: int) -> tuple[bytes, bool]:
        """The bitmap, in whole 64-bit words, and whether any bit was cleared: with manual protection, none is."""
        log = self._logs[slot]
        packed = np.packbits(np.frombuffer(log, np.uint8), bitorder="little")
        bitmap = bytes(packed.tobytes()).ljust((len(log) + 63) // 64 * 8, b"\0")
        cleared = self.way == "log" and bool(packed.any())
        if cleared:
            self._logs[slot] = bytearray(len(log))
        return bitmap, cleared

    def clear(self, slot: int, first: int, count: int, bitmap: bytes) -> None:
        """Clean those of `count` pages from `first` whose bit is set."""
        chosen = np.unpackbits(np.frombuffer(bitmap, np.uint8), count=count, bitorder="little")
        pages = np.frombuffer(self._logs[slot], np.uint8)[first : first + count]
        pages[chosen != 0] = 0

    def arm(self, pages: list[DirtyPage]) -> None:
        """Their next write is to be noted again."""
        for page in pages:
            log = self._logs.get(page.slot)
            if log is not None and page.offset < len(log):
                log[page.offset] = 0

    def pages(self, slot: int) -> int:
        return len(self._logs[slot])

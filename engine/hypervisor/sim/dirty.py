"""Dirty logs: a byte a page per logged slot, packed into KVM's bitmap when it is read (api.rst 4.8)."""

import numpy as np

from engine.model.memslot import Memslot


class DirtyLogs:
    """Logs by slot id. A log lives as long as its slot is logged: moving keeps it, dropping the flag forgets it."""

    def __init__(self) -> None:
        self._logs: dict[int, bytearray] = {}

    def follow(self, slot: Memslot) -> None:
        """A slot was made, changed, moved or (size 0) deleted."""
        if slot.size == 0 or not slot.logged:
            self._logs.pop(slot.slot, None)
        elif slot.slot not in self._logs:
            self._logs[slot.slot] = bytearray(slot.size >> 12)

    def logged(self, slot: int) -> bool:
        return slot in self._logs

    def mark(self, slot: Memslot, gfn: int) -> None:
        """Nothing happens when the slot is not logged."""
        log = self._logs.get(slot.slot)
        if log is not None:
            log[gfn - (slot.base >> 12)] = 1

    def unseen(self, slot: Memslot, gfn: int) -> bool:
        """Whether a write to this page is still to be noted, so that it must not go unseen."""
        log = self._logs.get(slot.slot)
        return log is not None and not log[gfn - (slot.base >> 12)]

    def take(self, slot: int) -> tuple[bytes, bool]:
        """The bitmap, in whole 64-bit words, and whether any bit is set; the log is clean afterwards."""
        log = self._logs[slot]
        packed = np.packbits(np.frombuffer(log, np.uint8), bitorder="little")
        bitmap = bytes(packed.tobytes()).ljust((len(log) + 63) // 64 * 8, b"\0")
        dirty = bool(packed.any())
        if dirty:
            self._logs[slot] = bytearray(len(log))
        return bitmap, dirty

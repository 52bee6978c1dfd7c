"""The dirty ring of one kernel vCPU, mapped from its fd (api.rst 8.29).

A kernel that emulates guest code without leaving it does not look at the soft limit: it writes on over entries that
nobody has read (measured on kvm_pvm; the kernel warns once, in kvm_dirty_ring_push). Pages are lost then, and the
kernel's two indexes are further apart than the ring is long. Both can be told and put right:
- a ring that is full to the last entry has overrun: below that, the reserve would have stopped the vCPU;
- afterwards the kernel writes ahead of where it is read: the entries between are given back as if they were harvested;
- a vCPU that finds its ring full when it is empty is so far ahead that a whole ring must be given back.
"""

import mmap

from engine.abi import kvm
from engine.model.dirty import DirtyPage

_RESERVED = 64 + 512
"""What the kernel keeps free below the size at most: its own reserve, and a processor's write buffer."""
_LEAST_RESERVED = 64
_DIRTY, _RESET = (flag.to_bytes(1, "little") for flag in (kvm.DIRTY_GFN_DIRTY, kvm.DIRTY_GFN_RESET))


class DirtyRing:
    """`serial` grows with each harvest and reset. Guarded by the vm's lock; the kernel writes at any time."""

    def __init__(self, fd: int, size: int) -> None:
        self.serial = 0
        self._map = mmap.mmap(fd, size, mmap.MAP_SHARED, offset=kvm.DIRTY_LOG_PAGE_OFFSET * mmap.PAGESIZE)
        self._u8 = memoryview(self._map)
        self._u32, self._u64 = self._u8.cast("I"), self._u8.cast("Q")
        self._count = size // kvm.DIRTY_GFN_SIZE
        self._next = self._unreset = 0
        self._has_overrun = self._lost = False

    def harvest(self) -> tuple[list[DirtyPage], bool]:
        """Entries in ring order, and whether others were lost since the last harvest."""
        self.serial += 1
        found = self._take()
        while self._has_overrun and self._skip_gap():
            found += self._take()
        if self._unreset == self._count:
            self._has_overrun = self._lost = True
        lost, self._lost = self._lost, False
        return found, lost

    def was_reset(self) -> None:
        """KVM_RESET_DIRTY_RINGS has freed what was given back, up to an entry that the kernel has written over."""
        self.serial += 1
        if self._unreset and _RESET in self._flags():
            self._has_overrun = self._lost = True
            self._next = (self._next - self._unreset) % self._count
        self._unreset = 0

    def free_when_stuck(self, since: int) -> bool:
        """After a full-ring exit of a vCPU that entered at `since`: whether the ring was empty all the time.

        Then as much is given back as the kernel must think is used at least; reset and enter again.
        """
        if self.serial != since or self._unreset or _DIRTY in self._flags():
            return False
        self._has_overrun = self._lost = True
        reserved = _RESERVED if self._count > _RESERVED else _LEAST_RESERVED
        for _ in range(self._count - reserved):
            self._give_back()
        return True

    def close(self) -> None:
        for view in (self._u64, self._u32, self._u8):
            view.release()
        self._map.close()

    def _take(self) -> list[DirtyPage]:
        found: list[DirtyPage] = []
        while self._unreset < self._count and self._u32[4 * self._next] == kvm.DIRTY_GFN_DIRTY:
            slot = self._u32[4 * self._next + 1]
            found.append(DirtyPage(slot & 0xFFFF, self._u64[2 * self._next + 1]))
            self._give_back()
        return found

    def _skip_gap(self) -> bool:
        """Give back the entries that the kernel skipped: those from here to the next dirty one, if there is one."""
        flags = self._flags()
        ahead = (flags[self._next :] + flags[: self._next])[: self._count - self._unreset]
        gap = ahead.find(_DIRTY)
        for _ in range(gap):
            self._give_back()
        self._lost = self._lost or gap > 0
        return gap > 0

    def _give_back(self) -> None:
        self._u32[4 * self._next] = kvm.DIRTY_GFN_RESET
        self._next = (self._next + 1) % self._count
        self._unreset += 1

    def _flags(self) -> bytes:
        """The flags' low byte of each entry."""
        return self._map[:: kvm.DIRTY_GFN_SIZE]

"""Guest-virtual addresses of one vCPU at one moment: its page tables walked, its code read, past every mask."""

import struct

from engine.hypervisor.kvm.space import GuestSpace
from engine.model.address import PAGE_SIZE
from engine.x86.paging import walk

_U64 = struct.Struct("<Q")


class AddressSpace:
    def __init__(self, space: GuestSpace, cr3: int) -> None:
        self._space, self._cr3 = space, cr3

    def gpa(self, gva: int) -> int | None:
        """None when not mapped, or when a page table is in the void."""
        try:
            found = walk(self._entry, self._cr3, gva)
        except OSError:
            return None
        return found.gpa if found else None

    def pieces(self, gva: int, size: int) -> list[tuple[int, int]]:
        """(gpa, length) of each part of `size` bytes at `gva`: at most 8 bytes, within one page; unmapped left out."""
        return [(gpa, length) for _, gpa, length in self.parts(gva, size)]

    def parts(self, gva: int, size: int) -> list[tuple[int, int, int]]:
        """The same with the gva of each first."""
        found: list[tuple[int, int, int]] = []
        at, end = gva, gva + size
        while at < end:
            length = min(8, end - at, PAGE_SIZE - at % PAGE_SIZE)
            gpa = self.gpa(at)
            if gpa is not None:
                found.append((at, gpa, length))
            at += length
        return found

    def read(self, gva: int, size: int) -> bytes:
        """As many of `size` bytes as are mapped and in a slot."""
        found = b""
        while size > 0:
            length = min(size, PAGE_SIZE - gva % PAGE_SIZE)
            gpa = self.gpa(gva)
            data = self._space.load(gpa, length) if gpa is not None else None
            if data is None:
                break
            found, gva, size = found + data, gva + length, size - length
        return found

    def _entry(self, gpa: int) -> int:
        (value,) = _U64.unpack(self._space.memory.read(gpa, _U64.size))
        return value

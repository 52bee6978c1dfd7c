"""The VMM's own view of guest memory, through the slots and past every mask."""

import errno
from threading import RLock

from engine.hypervisor.contract.errors import HypervisorError, closed
from engine.hypervisor.kvm.dirty import VmmDirty
from engine.hypervisor.kvm.views import Ram
from engine.hypervisor.slot_table import SlotTable
from engine.model.memslot import Memslot


class SlotMemory:
    """GuestMemory of the contract. A write is a writer outside KVM_RUN, so it marks dirty what it wrote."""

    def __init__(self, ram: Ram, slots: SlotTable, dirty: VmmDirty, lock: RLock) -> None:
        self._ram, self._slots, self._dirty, self._lock = ram, slots, dirty, lock

    def read(self, gpa: int, size: int) -> bytes:
        with self._lock:
            pieces = self._pieces("read", gpa, size)
            return b"".join(bytes(self._ram.view[at : at + length]) for _, at, length in pieces)

    def write(self, gpa: int, data: bytes) -> None:
        with self._lock:
            rest = memoryview(data)
            for slot, at, length in self._pieces("write", gpa, len(data)):
                self._ram.view[at : at + length] = rest[:length]
                self._dirty.mark(slot, at, length)
                rest = rest[length:]

    def _pieces(self, call: str, gpa: int, size: int) -> list[tuple[Memslot, int, int]]:
        if self._ram.map.closed:
            raise closed(f"memory.{call}")
        pieces = self._slots.pieces(gpa, size)
        if pieces is None:
            raise HypervisorError(errno.EFAULT, f"memory.{call}", "gpa", gpa, f"some of {size} bytes are in no slot")
        return pieces

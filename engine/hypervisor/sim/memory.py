"""The VMM's view of guest memory (contract GuestMemory): a writer outside KVM_RUN that marks what it writes."""

import errno

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.sim.code_pages import CodePages
from engine.hypervisor.sim.ram import Ram
from engine.hypervisor.sim.space import Space
from engine.model.address import PAGE_SHIFT, PAGE_SIZE
from engine.model.memslot import Memslot


class SimMemory:
    """Through the slots, past every mask."""

    def __init__(self, space: Space, ram: Ram, code: CodePages) -> None:
        self._space, self._ram, self._code = space, ram, code

    def read(self, gpa: int, size: int) -> bytes:
        """EFAULT when any byte is in no slot."""
        self._ram.require_open("memory.read")
        return b"".join(self._ram.view[at : at + count] for at, count in self._space.spans(gpa, size))

    def write(self, gpa: int, data: bytes) -> None:
        """EFAULT when any byte is in no slot, and nothing is written then. Marks logged pages dirty."""
        self._ram.require_open("memory.write")
        if 0 < len(data) <= PAGE_SIZE - gpa % PAGE_SIZE:
            self.store(self._slot(gpa), gpa, data)
            return
        done = 0
        for _, count in self._space.spans(gpa, len(data)):
            self.store(self._slot(gpa + done), gpa + done, data[done : done + count])
            done += count

    def store(self, slot: Memslot, gpa: int, data: bytes) -> None:
        """Into one page of `slot`."""
        at = slot.offset + gpa - slot.base
        if self._ram.past.kept is not None:
            self._ram.past.keep(at >> PAGE_SHIFT)
        self._ram.view[at : at + len(data)] = data
        self._code.host_wrote(at >> PAGE_SHIFT)
        self._space.dirty.mark_outside(slot, gpa >> PAGE_SHIFT)

    def _slot(self, gpa: int) -> Memslot:
        slot = self._space.slots.at(gpa)
        if slot is None:
            raise HypervisorError(errno.EFAULT, "guest memory", "gpa", gpa, "in no slot")
        return slot

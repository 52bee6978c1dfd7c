"""What an instruction would do of which nothing has happened: one single step in a VM whose RAM is a private copy.

Kernels with hardware paging report a fenced page as EFAULT before the instruction has done anything: they neither tell
what it would store nor take bytes for what it would load. The copy is made page by page as it is written, by the host
(mmap(2), MAP_PRIVATE), and forgotten after each trial.
"""

import ctypes

import msgspec

from engine.abi.kvm import ExitReason
from engine.hypervisor.kvm.address_space import AddressSpace
from engine.hypervisor.kvm.pending import Denied
from engine.hypervisor.kvm.space import GuestSpace
from engine.hypervisor.kvm.stepper import TRAP_BIT, TRAP_BYTE, Stepper, pushes_flags
from engine.hypervisor.kvm.vcpu_fd import VcpuFd
from engine.hypervisor.kvm.vtl import Vtl
from engine.model.rights import Access
from engine.x86.operands import memory_operands

_DEBUG = int(ExitReason.DEBUG)
Piece = tuple[int, int]
"""gpa and length of a part of an operand."""


class Answers(msgspec.Struct):
    """What the VMM has answered so far to the fences one instruction meets."""

    given: list[tuple[int, bytes]] = []
    """Bytes its loads get instead of what is in RAM, by gpa."""
    dropped: list[Piece] = []
    """Parts of its stores that do not happen."""

    @property
    def differ(self) -> bool:
        """Whether the instruction would do something else if it were simply executed."""
        return bool(self.given or self.dropped)


class Trial:
    """One vCPU's helper in `copy`, the VM of the copy that all vCPUs of a guest share; the vm's lock orders them."""

    def __init__(self, space: GuestSpace, copy: Vtl, index: int) -> None:
        self._space, self._copy = space, copy
        self.stepper = Stepper(copy.vm, index)

    def told(self, source: VcpuFd, addresses: AddressSpace, denied: Denied, answers: Answers) -> bytes | None:
        """What the denied store would store; None when it cannot be found out this way."""
        with self._space.lock:
            stores = self._try(source, addresses, denied, answers)
            return stores.get((denied.gpa, denied.size)) if stores else None

    def commit(self, source: VcpuFd, addresses: AddressSpace, denied: Denied, answers: Answers) -> bool:
        """Make `source` and RAM what the instruction leaves them with these answers; False: nothing has been done."""
        with self._space.lock:
            stores = self._try(source, addresses, denied, answers)
            if stores is None:
                return False
            for (gpa, size), data in stores.items():
                if (gpa, size) not in answers.dropped:
                    self._space.store(gpa, data)
            self.stepper.end(source)
            return True

    def close(self) -> None:
        if self.stepper.fd:
            self.stepper.fd.close()

    def _try(
        self, source: VcpuFd, addresses: AddressSpace, denied: Denied, answers: Answers
    ) -> dict[Piece, bytes] | None:
        """The bytes of each of its stores; the state after it is in the helper. None when it did more than a step."""
        pieces = _written(source, addresses, denied)
        try:
            for gpa, data in answers.given:
                ctypes.memmove(self._at(gpa), data, len(data))
            helper = self._step(source) if pieces is not None else None
            if pieces is None or helper is None:
                return None
            if pushes_flags(denied.origin.code, denied.origin.rip) and not self.stepper.traps:
                self._clear_trap_flag(helper, addresses)
            return {(gpa, size): ctypes.string_at(self._at(gpa), size) for gpa, size in pieces}
        except LookupError:
            return None
        finally:
            self._copy.forget()

    def _step(self, source: VcpuFd) -> VcpuFd | None:
        """The helper after the step; None when it did not get that far."""
        fd = self.stepper.begin(source)
        try:
            self.stepper.execute()
        except OSError:
            return None
        if fd.page.u32[2] == _DEBUG:
            return fd
        # Whatever it waits for is not to be had here; the next trial starts afresh.
        while not fd.finish():
            pass
        return None

    def _clear_trap_flag(self, fd: VcpuFd, addresses: AddressSpace) -> None:
        gpa = addresses.gpa(fd.registers().rsp + TRAP_BYTE)
        if gpa is not None:
            flags = ctypes.c_ubyte.from_address(self._at(gpa))
            flags.value &= ~TRAP_BIT

    def _at(self, gpa: int) -> int:
        """Address of the copy of `gpa`; LookupError for the void."""
        slot = self._space.slots.at(gpa)
        if slot is None:
            raise LookupError(gpa)
        return self._copy.address(slot) + gpa - slot.base


def _written(source: VcpuFd, addresses: AddressSpace, denied: Denied) -> list[Piece] | None:
    """The parts of what the instruction writes; None when its encoding does not say how much."""
    operands = memory_operands(denied.origin.code, denied.origin.rip, source.registers())
    written = [operand for operand in operands if Access.WRITE in operand.access]
    if any(operand.size == 0 for operand in written):
        return None
    return [piece for operand in written for piece in addresses.pieces(operand.address, operand.size)]

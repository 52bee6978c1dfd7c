"""One instruction at a time, by KVM_GUESTDBG_SINGLESTEP (api.rst 4.87), unseen by the guest.

Where hardware executes the guest, the trap flag that does it would be stored by PUSHF and in the frame of an exception,
and the exception's handler would run through to its end, for it begins without the flag. So breakpoints wait at the
handlers, and the flag is taken out of what was stored.
"""

from collections.abc import Generator
from contextlib import contextmanager

import iced_x86 as iced

from engine.abi.x86 import RFLAGS_RF, RFLAGS_TF
from engine.hypervisor.kvm import events
from engine.hypervisor.kvm.address_space import AddressSpace
from engine.hypervisor.kvm.seat import Seat
from engine.hypervisor.kvm.space import GuestSpace
from engine.hypervisor.kvm.stepper import hide_trap_flag, pushes_flags
from engine.hypervisor.kvm.vcpu_fd import VcpuFd
from engine.model.registers import Registers
from engine.x86.decode import MAX_LENGTH, decode_raw
from engine.x86.descriptors import GATE_SIZE, gate_offset

_DIVIDE, _INVALID, _STACK, _PROTECTION, _PAGE = 0, 6, 12, 13, 14
_DIVISIONS = (iced.Mnemonic.DIV, iced.Mnemonic.IDIV)
_BREAKPOINTS = 4
_FRAMES = (0, 8)
"""Where a handler's frame begins above RSP: without and with an error code (SDM Vol. 3, 6.14.2)."""


@contextmanager
def armed(space: GuestSpace, seat: Seat) -> Generator[int | None, None, None]:
    """Within it, the VTL's own vCPU leaves the guest by KVM_EXIT_DEBUG after one instruction.

    Yields where a HLT ends, if that is the instruction: its own exit some kernels leave out (measured on kvm_pvm).
    """
    fd = seat.fds[seat.vtl]
    addresses, before = AddressSpace(space, fd.sregs().cr3), fd.registers()
    code = addresses.read(before.rip, MAX_LENGTH)
    # KVM arms the step for the RIP it sees here.
    fd.single_step(_handlers(fd, addresses, code, before.rip))
    found = decode_raw(code, before.rip)
    try:
        yield found.next_ip if found and found.mnemonic == iced.Mnemonic.HLT else None
    finally:
        fd.end_single_step()
        if not before.rflags & RFLAGS_TF:
            for at in _stored_flags(addresses, code, before, fd.registers()):
                hide_trap_flag(space, addresses, at)


def _handlers(fd: VcpuFd, addresses: AddressSpace, code: bytes, rip: int) -> list[int]:
    """Where the likeliest exceptions of an instruction go; a processor has four breakpoints.

    IRETQ leads to one too, for there are kernels that do not stop after it (measured on kvm_pvm).
    """
    table = fd.sregs().idt
    found: list[int] = []
    decoded = decode_raw(code, rip)
    if decoded and decoded.mnemonic == iced.Mnemonic.IRETQ:
        found.append(int.from_bytes(addresses.read(fd.registers().rsp, 8), "little"))
    queued = events.undelivered(fd)
    vectors = _vectors(code, rip) if queued is None else (queued, *_vectors(code, rip))
    for vector in vectors[: _BREAKPOINTS - len(found)]:
        last = (vector + 1) * GATE_SIZE - 1
        gate = addresses.read(table.base + vector * GATE_SIZE, GATE_SIZE) if last <= table.limit else b""
        if len(gate) == GATE_SIZE:
            found.append(gate_offset(gate))
    # One that waits where the vCPU is would not let it go.
    return [address for address in found if address != rip]


def _vectors(code: bytes, rip: int) -> tuple[int, ...]:
    found = decode_raw(code, rip)
    common = (_PAGE, _PROTECTION, _INVALID)
    match found.mnemonic if found else None:
        case iced.Mnemonic.INT if found:
            return (*common, found.immediate8)
        case iced.Mnemonic.INT3:
            return (*common, 3)
        case mnemonic:
            return (*common, _DIVIDE if mnemonic in _DIVISIONS else _STACK)


def _stored_flags(addresses: AddressSpace, code: bytes, before: Registers, after: Registers) -> list[int]:
    """Where the instruction, or the exception that it led to, has stored RFLAGS."""
    pushed = [after.rsp] if pushes_flags(code, before.rip) and after.rip != before.rip else []
    frames = [after.rsp + at for at in _FRAMES if _is_frame(addresses, after.rsp + at, before)]
    return pushed + [frame + 16 for frame in frames]


def _is_frame(addresses: AddressSpace, at: int, before: Registers) -> bool:
    """Whether an exception taken at `before` has left its frame there."""
    words = [int.from_bytes(addresses.read(at + 8 * n, 8), "little") for n in range(4)]
    return 0 <= words[0] - before.rip <= MAX_LENGTH and words[3] == before.rsp and _same_flags(words[2], before.rflags)


def _same_flags(pushed: int, before: int) -> bool:
    """But for those that are the processor's doing."""
    return not (pushed ^ before) & ~(RFLAGS_RF | RFLAGS_TF)

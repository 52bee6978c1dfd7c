"""Bringing a vCPU back to before a store that KVM has already finished, all but its bytes."""

from engine.hypervisor.kvm.address_space import AddressSpace
from engine.hypervisor.kvm.pending import Denied
from engine.hypervisor.kvm.undo import undo
from engine.hypervisor.kvm.vcpu_fd import VcpuFd
from engine.model.registers import Registers
from engine.model.rights import Access
from engine.x86.decode import decode_raw
from engine.x86.operands import memory_operands


def before(space: AddressSpace, denied: Denied, after: Registers) -> Registers | None:
    """Registers as they were at the start of the denied store's instruction.

    None when they cannot be derived, or when another part of the same operand may already be in memory and would be
    read again: such a store is finished later instead, with the bytes it has.
    """
    found = decode_raw(denied.origin.code, denied.origin.rip)
    registers = undo(found, after, denied.data or b"") if found else None
    if registers is None:
        return None
    for operand in memory_operands(denied.origin.code, denied.origin.rip, registers):
        pieces = space.pieces(operand.address, operand.size)
        if Access.WRITE in operand.access and pieces[:1] == [(denied.gpa, denied.size)]:
            return None if len(pieces) > 1 and Access.READ in operand.access else registers
    return None


def rewind(fd: VcpuFd, registers: Registers) -> None:
    """Forget the rest of the pending store, then go back to `registers`."""
    while not fd.finish():
        pass  # each turn drops one more fragment of the same store
    fd.set_registers(registers)

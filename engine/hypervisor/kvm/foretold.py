"""What a store that KVM gave up on would store, where no copy of RAM is kept to try it out in."""

from engine.hypervisor.kvm.address_space import AddressSpace
from engine.hypervisor.kvm.pending import Denied
from engine.model.registers import Registers
from engine.model.rights import Access
from engine.x86.operands import memory_operands
from engine.x86.stored import stored


def foretold(addresses: AddressSpace, denied: Denied, registers: Registers) -> bytes | None:
    """The bytes of this part of it; None for an instruction that is not known, or an operand that is not all there."""
    code, rip = denied.origin.code, denied.origin.rip
    for operand in memory_operands(code, rip, registers):
        at = -1 if denied.gva is None else denied.gva - operand.address
        if Access.WRITE in operand.access and 0 <= at <= operand.size - denied.size:
            old = addresses.read(operand.address, operand.size)
            new = stored(code, rip, registers, old) if len(old) == operand.size else None
            return None if new is None else new[at : at + denied.size]
    return None

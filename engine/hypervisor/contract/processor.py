"""What a vCPU may be made and begin with, the same rule for every hypervisor."""

import errno

from engine.hypervisor.contract.errors import HypervisorError, Unsupported
from engine.model.layout import MAX_VCPUS
from engine.model.long_mode import broken, is_64_bit
from engine.model.registers import NAMES, Registers
from engine.model.system_registers import XMM_SIZE, SystemRegisters


def require_registers(registers: Registers) -> None:
    """EINVAL: a value that is not of 64 bits, of which a processor could keep only a part."""
    for name in NAMES:
        value = getattr(registers, name)
        if not 0 <= value < 1 << 64:
            raise HypervisorError(errno.EINVAL, "set_registers", name, value, "64 bits")


def require_system(registers: SystemRegisters) -> None:
    """EINVAL: no processor can have these together. Unsupported: they are of another mode than 64-bit mode."""
    found = broken(registers)
    if found is not None:
        raise HypervisorError(errno.EINVAL, "set_system_registers", *found)
    if not is_64_bit(registers):
        raise Unsupported("a mode other than 64-bit mode", "vCPUs here run in 64-bit mode only")


def require_xmm(data: bytes) -> None:
    if len(data) != XMM_SIZE:
        raise HypervisorError(errno.EINVAL, "set_xmm", "data", f"{len(data)} bytes", f"{XMM_SIZE} bytes")


def require_cr2(address: int) -> None:
    if not 0 <= address < 1 << 64:
        raise HypervisorError(errno.EINVAL, "set_cr2", "address", address, "64 bits")


def require_vcpu(index: int, cr3: int) -> None:
    """EINVAL: an index that the layout has no code and stack for, or page tables beyond the widest guest-physical
    address."""
    if not 0 <= index < MAX_VCPUS:
        raise HypervisorError(errno.EINVAL, "KVM_CREATE_VCPU", "index", index, f"0 to {MAX_VCPUS - 1}")
    if not 0 <= cr3 < 1 << 52:
        raise HypervisorError(errno.EINVAL, "KVM_CREATE_VCPU", "cr3", cr3, "52 bits")

"""What a vCPU may be made and begin with, the same rule for every hypervisor."""

import errno

from engine.hypervisor.contract.errors import HypervisorError
from engine.model.registers import NAMES, Registers

MAX_INDEX = (1 << 31) - 1
"""KVM_CREATE_VCPU takes an int."""


def require_registers(registers: Registers) -> None:
    """EINVAL: a value that is not of 64 bits, of which a processor could keep only a part."""
    for name in NAMES:
        value = getattr(registers, name)
        if not 0 <= value < 1 << 64:
            raise HypervisorError(errno.EINVAL, "set_registers", name, value, "64 bits")


def require_vcpu(index: int, most: int, cr3: int) -> None:
    """EINVAL: an index below 0 or above `most`, or page tables beyond the widest guest-physical address."""
    if not 0 <= index <= most:
        raise HypervisorError(errno.EINVAL, "KVM_CREATE_VCPU", "index", index, f"0 to {most}")
    if not 0 <= cr3 < 1 << 52:
        raise HypervisorError(errno.EINVAL, "KVM_CREATE_VCPU", "cr3", cr3, "52 bits")

"""Registers of a vCPU beside the general ones: what each VTL keeps for itself, and what all of them share."""

from typing import Protocol

from engine.model.system_registers import SystemRegisters


class VtlRegisters(Protocol):
    """Of one vCPU, between runs. RIP, RSP and RFLAGS, which a VTL keeps for itself too, are in Vcpu.registers."""

    def system_registers(self, vtl: int) -> SystemRegisters:
        """Of any of its VTLs, whether or not it executes there; an exit may wait. EINVAL: no such VTL."""
        ...

    def set_system_registers(self, vtl: int, registers: SystemRegisters) -> None:
        """All or none. EINVAL: no such VTL, or values that no processor can have together, or not this one. EBUSY: as
        for Vcpu.inject, where it is the VTL it executes in. Unsupported: another mode than 64-bit mode."""
        ...

    def xmm(self) -> bytes:
        """XMM0 to XMM15, 16 bytes each: shared by all VTLs, as are MXCSR, the x87 registers and CR2, so that
        Vcpu.enter_vtl takes them along."""
        ...

    def set_xmm(self, data: bytes) -> None:
        """EINVAL: not 256 bytes. EBUSY: as for Vcpu.inject."""
        ...

    def cr2(self) -> int:
        """The address of the last page fault."""
        ...

    def set_cr2(self, address: int) -> None:
        """EINVAL: not 64 bits. EBUSY: as for Vcpu.inject."""
        ...

"""The page a vCPU shares with the kernel, struct kvm_run (api.rst 5), as typed views made once."""

import ctypes
import mmap
import struct

from engine.abi import kvm, kvm_vcpu
from engine.abi.x86 import RFLAGS_FIXED
from engine.model.registers import Registers

_REGISTERS = struct.Struct("<18Q")
_INTERNAL = struct.Struct("<II")
_FAULT = struct.Struct("<3Q")
_MSR = struct.Struct("<IIQ")
RIP = kvm.RUN_SYNC_REGS // 8 + 16
"""Index of rip in `u64`: kvm_run.s.regs.regs.rip."""
_SREGS = kvm.RUN_SYNC_REGS + kvm.REGS_SIZE
CR2, CR3 = (_SREGS + kvm.Sregs.cr2.offset) // 8, (_SREGS + kvm.Sregs.cr3.offset) // 8
"""Index of cr2 and cr3 in `u64`: kvm_run.s.regs.sregs."""
_RING = _SREGS + kvm.Sregs.ss.offset + kvm.Segment.dpl.offset
CR8 = kvm.RUN_CR8 // 8
"""What CR8 is set to on entry, where KVM has no APIC (kvm_arch_vcpu_ioctl_run)."""


class RunPage:
    """`u8`, `u32`, `u64` index the same bytes, `map` slices them; the run loop reads them without building objects.
    `general` are the general registers in KVM_GET_REGS order, `special` is struct kvm_sregs, both as they are now."""

    def __init__(self, fd: int, size: int) -> None:
        self.map = mmap.mmap(fd, size, mmap.MAP_SHARED)
        self.u8 = memoryview(self.map)
        self.u32 = self.u8.cast("I")
        self.u64 = self.u8.cast("Q")
        self.general = self.u64[kvm.RUN_SYNC_REGS // 8 : (kvm.RUN_SYNC_REGS + kvm.REGS_SIZE) // 8]
        self.special = self.u8[_SREGS : _SREGS + ctypes.sizeof(kvm.Sregs)]
        # With this set, every KVM_RUN leaves the registers here: no ioctl per exit to read them (api.rst 5).
        self.u64[kvm.RUN_VALID_REGS // 8] = kvm.SYNC_X86_REGS | kvm.SYNC_X86_SREGS

    @property
    def immediate_exit(self) -> bool:
        return bool(self.u8[kvm.RUN_IMMEDIATE_EXIT])

    @immediate_exit.setter
    def immediate_exit(self, value: bool) -> None:
        self.u8[kvm.RUN_IMMEDIATE_EXIT] = value

    @property
    def ring(self) -> int:
        """SS.DPL (SDM Vol. 3, 6.5)."""
        return self.u8[_RING]

    @property
    def interrupt_window(self) -> bool:
        """KVM_RUN is to end as soon as the guest may take an interrupt."""
        return bool(self.u8[kvm.RUN_REQUEST_INTERRUPT_WINDOW])

    @interrupt_window.setter
    def interrupt_window(self, value: bool) -> None:
        self.u8[kvm.RUN_REQUEST_INTERRUPT_WINDOW] = value

    def registers(self) -> Registers:
        return Registers(*_REGISTERS.unpack_from(self.u8, kvm.RUN_SYNC_REGS))

    def put_registers(self, raw: bytes) -> None:
        """What KVM_SET_REGS was given."""
        self.u8[kvm.RUN_SYNC_REGS : kvm.RUN_SYNC_REGS + kvm.REGS_SIZE] = raw
        self.u64[RIP + 1] |= RFLAGS_FIXED

    def put_io(self, data: bytes) -> None:
        """The bytes an IN gets."""
        at = self.u64[kvm.RUN_IO_DATA_OFFSET // 8]
        self.u8[at : at + len(data)] = data

    def put_mmio(self, data: bytes) -> None:
        """The bytes a load gets."""
        self.u8[kvm.RUN_MMIO_DATA : kvm.RUN_MMIO_DATA + len(data)] = data

    def msr(self) -> tuple[int, int, int]:
        """reason, index, data of KVM_EXIT_X86_RDMSR and KVM_EXIT_X86_WRMSR."""
        reason, index, data = _MSR.unpack_from(self.u8, kvm_vcpu.RUN_MSR_REASON)
        return reason, index, data

    def put_msr(self, value: int) -> None:
        """What an RDMSR gets."""
        self.u64[kvm_vcpu.RUN_MSR_DATA // 8] = value

    def internal_facts(self) -> dict[str, int]:
        """suberror and the data words of KVM_EXIT_INTERNAL_ERROR."""
        suberror, count = _INTERNAL.unpack_from(self.u8, kvm.RUN_INTERNAL_SUBERROR)
        first = kvm.RUN_INTERNAL_DATA // 8
        words = self.u64[first : first + min(count, kvm.INTERNAL_DATA_WORDS)].tolist()
        return {"suberror": suberror, **{f"data{n}": word for n, word in enumerate(words)}}

    def memory_fault(self) -> tuple[int, int, int]:
        """flags, gpa, size of KVM_EXIT_MEMORY_FAULT."""
        flags, gpa, size = _FAULT.unpack_from(self.u8, kvm.RUN_MEMORY_FAULT_FLAGS)
        return flags, gpa, size

    def close(self) -> None:
        for view in (self.general, self.special, self.u64, self.u32, self.u8):
            view.release()
        self.map.close()

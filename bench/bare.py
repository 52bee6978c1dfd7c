"""The smallest guest that exits: one page of `out dx, al; jmp`, by ioctl numbers alone.

Shares nothing with engine/: it is what the engine's loop is measured against.
"""

import ctypes
import fcntl
import mmap
import os
import struct

KVM_CREATE_VM, KVM_GET_VCPU_MMAP_SIZE, KVM_CREATE_VCPU, KVM_RUN = 0xAE01, 0xAE04, 0xAE41, 0xAE80
KVM_SET_USER_MEMORY_REGION, KVM_SET_TSS_ADDR, KVM_SET_IDENTITY_MAP_ADDR = 0x4020AE46, 0xAE47, 0x4008AE48
KVM_GET_SREGS, KVM_SET_SREGS, KVM_SET_REGS = 0x8138AE83, 0x4138AE84, 0x4090AE82
EXIT_REASON, KVM_EXIT_IO = 8, 2
CODE = 0x1000
"""gpa of the code; real mode, so its segment is 0."""
RAM = 1 << 20
"""gpa of the second slot."""
OUT_JMP = bytes.fromhex("ee ebfd")
SREGS_SIZE, REGS_SIZE = 312, 144


class BareGuest:
    """`vcpu` is the descriptor to run; OSError where KVM is not there."""

    def __init__(self) -> None:
        self._kvm = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
        self._vm = fcntl.ioctl(self._kvm, KVM_CREATE_VM, 0)
        self._page = mmap.mmap(-1, 4096)
        self._page[:3] = OUT_JMP
        fcntl.ioctl(self._vm, KVM_SET_USER_MEMORY_REGION, self._region())
        self.vcpu = fcntl.ioctl(self._vm, KVM_CREATE_VCPU, 0)
        self._run = mmap.mmap(self.vcpu, fcntl.ioctl(self._kvm, KVM_GET_VCPU_MMAP_SIZE, 0))
        self._enter()
        self._prove()

    def add_ram(self, size: int) -> int:
        """A second slot, above the code's; the host's address of its memory, which no guest code touches."""
        self._ram = mmap.mmap(-1, size)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._ram))
        fcntl.ioctl(self._vm, KVM_SET_USER_MEMORY_REGION, struct.pack("<IIQQQ", 1, 0, RAM, size, address))
        return address

    def close(self) -> None:
        self._run.close()
        for descriptor in (self.vcpu, self._vm, self._kvm):
            os.close(descriptor)

    def _region(self) -> bytes:
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._page))
        return struct.pack("<IIQQQ", 0, 0, CODE, 4096, address)

    def _enter(self) -> None:
        """Real mode at CODE: base and selector of CS are the first fields of kvm_sregs."""
        sregs = bytearray(SREGS_SIZE)
        fcntl.ioctl(self.vcpu, KVM_GET_SREGS, sregs)
        struct.pack_into("<Q", sregs, 0, 0)
        struct.pack_into("<H", sregs, 12, 0)
        fcntl.ioctl(self.vcpu, KVM_SET_SREGS, bytes(sregs))
        regs = bytearray(REGS_SIZE)
        struct.pack_into("<Q", regs, 3 * 8, 0x10)  # rdx: the port
        struct.pack_into("<QQ", regs, 16 * 8, CODE, 2)  # rip, rflags
        fcntl.ioctl(self.vcpu, KVM_SET_REGS, bytes(regs))

    def _prove(self) -> None:
        """A loop that fails fast would look like a fast loop."""
        for _ in range(3):
            fcntl.ioctl(self.vcpu, KVM_RUN)
            (reason,) = struct.unpack_from("<I", self._run, EXIT_REASON)
            assert reason == KVM_EXIT_IO, f"exit reason {reason}"

"""Unicorn by itself: RAM mapped plainly, no hook, slices by `count` as the simulator has them.

Shares nothing with engine/: it is what the simulator is measured against.
"""

import ctypes
import mmap
from typing import Any

from unicorn import unicorn_const as uc
from unicorn import x86_const as x86
from unicorn.unicorn_py3 import unicorn as binding

CODE, DATA, SIZE = 0x1000, 0x200000, 4 << 20
STORES = bytes.fromhex("48ffc0 488907 ebf8")
"""again: inc rax; mov [rdi], rax; jmp again."""


class Alone:
    """An engine in its loop."""

    def __init__(self) -> None:
        self._ram = mmap.mmap(-1, SIZE)
        self._ram[CODE : CODE + len(STORES)] = STORES
        self._engine: Any = binding.Uc(uc.UC_ARCH_X86, uc.UC_MODE_64)
        # The simulator's model: one without RDRAND.
        self._engine.ctl_set_cpu_model(x86.UC_CPU_X86_QEMU64)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._ram))
        # Data is not executable: where it is, each store also looks for code to forget, and takes half as long again.
        self._engine.mem_map_ptr(0, DATA, uc.UC_PROT_READ | uc.UC_PROT_EXEC, address)
        self._engine.mem_map_ptr(DATA, SIZE - DATA, uc.UC_PROT_READ | uc.UC_PROT_WRITE, address + DATA)
        self._engine.reg_write(x86.UC_X86_REG_RDI, DATA)

    def run(self, count: int, slice: int) -> int:
        """`count` instructions, `slice` at a time."""
        for _ in range(0, count, slice):
            self._engine.emu_start(CODE, 0, 0, slice)
        return count

    def prove(self) -> None:
        """A loop that does nothing would look fast."""
        self.run(30, 30)
        assert int.from_bytes(self._ram[DATA : DATA + 8], "little") > 0

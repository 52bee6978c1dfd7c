"""The guest's RAM as one anonymous mapping: zeroed, backed only where touched, at one host address for ever."""

import ctypes
import mmap

from engine.hypervisor.contract.errors import closed
from engine.hypervisor.sim.past import Pasts

_NORESERVE = 0x4000
"""MAP_NORESERVE (asm-generic/mman.h); the mmap module of 3.11 has no name for it."""


class Ram:
    """`size` bytes. `view` for bytes, `words` for aligned u64s, `address` for the emulator.

    Who stores calls `past.keep` before."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.closed = False
        self._map = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NORESERVE)
        self.past = Pasts(self._map)
        self.view = memoryview(self._map)
        self.words = self.view.cast("Q")
        anchor = ctypes.c_char.from_buffer(self._map)
        self.address = ctypes.addressof(anchor)
        del anchor

    def require_open(self, call: str) -> None:
        """EBADF."""
        if self.closed:
            raise closed(call)

    def close(self) -> None:
        """Nobody may hold the address any longer. A view given away keeps the memory until it goes."""
        self.closed = True
        self.words.release()
        self.view.release()
        try:
            self._map.close()
        except BufferError:
            return

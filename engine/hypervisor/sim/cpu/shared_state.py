"""What all VTLs share beside the general registers: a switch takes it along, from one saved state into the next."""

import ctypes
from typing import Any

from unicorn import x86_const as x86

from engine.hypervisor.sim.cpu.batch import LIBRARY, check
from engine.model.system_registers import XMM_SIZE

_XMM = [int(getattr(x86, f"UC_X86_REG_XMM{n}")) for n in range(16)]
_X87 = [int(getattr(x86, f"UC_X86_REG_FP{n}")) for n in range(8)]
_BREAKPOINTS = [int(getattr(x86, f"UC_X86_REG_DR{n}")) for n in range(4)]
_OTHERS = [x86.UC_X86_REG_FPSW, x86.UC_X86_REG_FPCW, x86.UC_X86_REG_FPTAG, x86.UC_X86_REG_MXCSR, x86.UC_X86_REG_CR2]
_ROOM = 16
"""Bytes for each: an x87 register takes 10, the others at most 8."""


class SharedState:
    """XMM, MXCSR, x87, CR2 and DR0 to DR3 of the engine at `handle`, in one call each way."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        ids = [*_XMM, *_X87, *_BREAKPOINTS, *_OTHERS]
        self._raw = (ctypes.c_char * (_ROOM * len(ids)))()
        self._ids = (ctypes.c_int * len(ids))(*ids)
        places = [ctypes.addressof(self._raw) + _ROOM * n for n in range(len(ids))]
        self._places = (ctypes.c_void_p * len(ids))(*places)

    def take(self) -> None:
        check(LIBRARY.uc_reg_read_batch(self._handle, self._ids, self._places, len(self._ids)))

    def put(self) -> None:
        """What was taken last."""
        check(LIBRARY.uc_reg_write_batch(self._handle, self._ids, self._places, len(self._ids)))

    def xmm(self) -> bytes:
        self.take()
        return self._raw.raw[:XMM_SIZE]

    def set_xmm(self, data: bytes) -> None:
        self.take()
        self._raw[:XMM_SIZE] = data
        self.put()

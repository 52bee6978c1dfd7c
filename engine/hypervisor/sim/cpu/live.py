"""A core's registers in the engine's own memory: read in a tenth of the time that a call takes.

As they are between runs, and in a hook. Of RFLAGS there is what steers the processor; the rest the engine keeps lazily.
"""

import ctypes
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from engine.abi.x86 import RFLAGS_TF
from engine.hypervisor.sim.cpu.calibration import (
    GENERAL,
    LAZY,
    cr3_offset,
    general_offset,
    lazy_offset,
    live_address,
    segments_offset,
)
from engine.hypervisor.sim.flags import Lazy, suspect
from engine.model.registers import NAMES

_PLACES = {name.lower(): place for place, name in enumerate((*GENERAL, "RIP"))}
_ORDER = [_PLACES[name] for name in NAMES[:-1]]
_IN_ORDER = itemgetter(*_ORDER)


class Live:
    """Of the engine at `handle`, for as long as it is open."""

    def __init__(self, handle: int) -> None:
        base, count = live_address(handle), len(_PLACES)
        self._words: Any = (ctypes.c_uint64 * count).from_address(base + general_offset())
        self._rip = ctypes.c_uint64.from_address(base + general_offset() + 8 * _PLACES["rip"])
        self._flags = ctypes.c_uint64.from_address(base + lazy_offset() - 8)
        self.cr3 = ctypes.c_uint64.from_address(base + cr3_offset())
        self.mode = ctypes.c_uint32.from_address(base + segments_offset() - 8)
        """hflags: the lowest two bits are the privilege level."""
        self._lazy = (ctypes.c_char * LAZY.size).from_address(base + lazy_offset())

    def general(self) -> Sequence[int]:
        """In the order of NAMES, without RFLAGS."""
        return _IN_ORDER(self._words)

    def set(self, register: int, value: int) -> None:
        """`register` is its place in NAMES."""
        self._words[_ORDER[register]] = value

    @property
    def traps(self) -> bool:
        """Whether a trap follows the next instruction: TF."""
        return bool(self._flags.value & RFLAGS_TF)

    @property
    def rip(self) -> int:
        return self._rip.value

    @rip.setter
    def rip(self, value: int) -> None:
        self._rip.value = value

    def lazy(self) -> Lazy:
        return Lazy(*LAZY.unpack_from(self._lazy))

    @property
    def suspect(self) -> bool:
        """Whether the flags may be wrong after a fault."""
        _, operand, operation = LAZY.unpack_from(self._lazy)
        return suspect(operation, operand)

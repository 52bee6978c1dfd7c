"""A core's registers in the engine's own memory: read in a tenth of the time that a call takes.

As they are between runs, and in a hook. Of RFLAGS there is what steers the processor; the rest the engine keeps lazily.
"""

import ctypes
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from engine.hypervisor.sim.cpu.calibration import (
    GENERAL,
    LAZY,
    cr3_offset,
    general_offset,
    lazy_offset,
    live_address,
    segments_offset,
)
from engine.hypervisor.sim.flags import Lazy
from engine.model.registers import NAMES

_PLACES = {name.lower(): place for place, name in enumerate((*GENERAL, "RIP"))}
_ORDER = [_PLACES[name] for name in NAMES[:-1]]
_IN_ORDER = itemgetter(*_ORDER)


class Live:
    """Of the engine at `handle`, for as long as it is open."""

    def __init__(self, handle: int) -> None:
        base, count = live_address(handle), len(_PLACES)
        self._words: Any = (ctypes.c_uint64 * count).from_address(base + general_offset())
        self.rip = ctypes.c_uint64.from_address(base + general_offset() + 8 * _PLACES["rip"])
        self.flags = ctypes.c_uint64.from_address(base + lazy_offset() - 8)
        """Those that steer the processor, as TF."""
        self.cr3 = ctypes.c_uint64.from_address(base + cr3_offset())
        self.mode = ctypes.c_uint32.from_address(base + segments_offset() - 8)
        """hflags: the lowest two bits are the privilege level."""
        self._lazy = (ctypes.c_char * LAZY.size).from_address(base + lazy_offset())
        self.operation = ctypes.c_uint32.from_address(base + lazy_offset() + LAZY.size - 4)
        """Of Lazy."""

    def general(self) -> Sequence[int]:
        """In the order of NAMES, without RFLAGS."""
        return _IN_ORDER(self._words)

    def set(self, register: int, value: int) -> None:
        """`register` is its place in NAMES."""
        self._words[_ORDER[register]] = value

    def lazy(self) -> Lazy:
        return Lazy(*LAZY.unpack_from(self._lazy))

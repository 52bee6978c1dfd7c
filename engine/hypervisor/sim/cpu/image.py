"""A saved context, read and changed where Unicorn's interface does not reach: flags, segments, a pending exception."""

import ctypes
import struct
from typing import Any

from engine.hypervisor.sim.cpu.batch import LIBRARY, check
from engine.hypervisor.sim.cpu.calibration import exception_offset, segments_offset, task_priority_offset
from engine.hypervisor.sim.deliver import Table

ES, CS, SS, DS, FS, GS, LDT, TR, GDT, IDT = range(10)
_SEGMENT = struct.Struct("<I4xQII")
"""Selector, base, limit, and the upper half of the descriptor (QEMU, SegmentCache)."""
_HFLAGS, _HFLAGS2, _OLD = 8, 4, 112
_CPL = 3
_VINTR = 1 << 3
_NONE = -1


class Image:
    """All of a core's registers as they were when taken."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._context = engine.context_save()
        self._raw = (ctypes.c_char * self._context.size).from_address(self._context.context.value)
        self._segments, self._exception = segments_offset(), exception_offset()
        self._priority = task_priority_offset()

    def take(self) -> None:
        check(LIBRARY.uc_context_save(self._engine._uch, self._context.context))

    def put(self) -> None:
        """Make the core's registers those of the image."""
        self._engine.context_restore(self._context)

    def state(self) -> bytes:
        """All of it, taken now; `restore` makes it the core's again."""
        self.take()
        return self._raw.raw

    def restore(self, state: bytes) -> None:
        self._raw.raw = state
        self.put()

    def segment(self, index: int) -> tuple[int, int, int, int]:
        """Selector, base, limit, upper half of the descriptor."""
        selector, base, limit, upper = _SEGMENT.unpack_from(self._raw, self._at(index))
        return selector, base, limit, upper

    def table(self, index: int) -> Table:
        selector, base, limit, _ = self.segment(index)
        return Table(base, limit, selector)

    def set_segment(self, index: int, selector: int, limit: int, descriptor: int, base: int = 0) -> None:
        _SEGMENT.pack_into(self._raw, self._at(index), selector, base, limit, descriptor)

    def set_cpl(self, cpl: int) -> None:
        at = self._segments - _HFLAGS
        (hflags,) = struct.unpack_from("<I", self._raw, at)
        struct.pack_into("<I", self._raw, at, hflags & ~_CPL | cpl)

    def keep_task_priority(self) -> None:
        """MOV from CR8 gives what MOV to CR8 was given, as while interrupts are virtual (QEMU, HF2_VINTR): the engine
        would ask an APIC, and there is none."""
        at = self._segments - _HFLAGS2
        (hflags2,) = struct.unpack_from("<I", self._raw, at)
        struct.pack_into("<I", self._raw, at, hflags2 | _VINTR)

    @property
    def task_priority(self) -> int:
        return self._raw[self._priority][0]

    @task_priority.setter
    def task_priority(self, value: int) -> None:
        self._raw[self._priority] = value

    def take_exception(self) -> tuple[int, bool]:
        """(error code, whether by INT n) of the exception that stopped the run. Forgets it: the engine would take the
        next one for a double fault, as it does not know when an exception has been delivered."""
        code, software = struct.unpack_from("<ii", self._raw, self._exception)
        struct.pack_into("<i", self._raw, self._exception + _OLD, _NONE)
        return code & 0xFFFF_FFFF, bool(software)

    def _at(self, index: int) -> int:
        return self._segments + index * _SEGMENT.size

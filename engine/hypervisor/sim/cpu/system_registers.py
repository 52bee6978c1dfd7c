"""The engine's system registers as the contract has them, read and set."""

import ctypes
from typing import Any

from unicorn import x86_const as x86

from engine.abi import x86 as abi
from engine.hypervisor.sim.cpu.batch import LIBRARY, check
from engine.hypervisor.sim.cpu.image import CS, DS, ES, FS, GDT, GS, IDT, LDT, SS, TR, Image
from engine.model.system_registers import MSRS, Segment, SystemRegisters, TableRegister

_CONTROL = {"cr0": x86.UC_X86_REG_CR0, "cr3": x86.UC_X86_REG_CR3, "cr4": x86.UC_X86_REG_CR4}
_MODEL_SPECIFIC = {"efer": abi.MSR_EFER, **MSRS}
_SEGMENTS = {"cs": CS, "ds": DS, "es": ES, "fs": FS, "gs": GS, "ss": SS, "tr": TR, "ldtr": LDT}
_TABLES = {"idtr": IDT, "gdtr": GDT}
_IN_DESCRIPTOR = 8
"""Where a descriptor's upper half has its attributes; among them are four bits of the limit."""
_ATTRIBUTES = 0xF0FF
_BUSY = 1 << 1


class _Msr(ctypes.Structure):
    """uc_x86_msr."""

    _fields_ = (("index", ctypes.c_uint32), ("value", ctypes.c_uint64))


class EngineSystemRegisters:
    """Of `engine`; segments by way of its image, which its interface does not give."""

    def __init__(self, engine: Any, image: Image) -> None:
        self._handle, self._image = engine._uch, image
        self._control = (ctypes.c_uint64 * len(_CONTROL))()
        self._msrs = (_Msr * len(_MODEL_SPECIFIC))(*(_Msr(index) for index in _MODEL_SPECIFIC.values()))
        ids = [*_CONTROL.values(), *(x86.UC_X86_REG_MSR for _ in _MODEL_SPECIFIC)]
        places = [ctypes.addressof(self._control) + 8 * n for n in range(len(_CONTROL))]
        places += [ctypes.addressof(msr) for msr in self._msrs]
        self._ids = (ctypes.c_int * len(ids))(*ids)
        self._places = (ctypes.c_void_p * len(ids))(*places)

    def read(self) -> SystemRegisters:
        check(LIBRARY.uc_reg_read_batch(self._handle, self._ids, self._places, len(self._ids)))
        self._image.take()
        fields: dict[str, Any] = dict(zip(_CONTROL, self._control, strict=True))
        fields |= {name: msr.value for name, msr in zip(_MODEL_SPECIFIC, self._msrs, strict=True)}
        fields |= {name: self._segment(index) for name, index in _SEGMENTS.items()}
        fields |= {name: self._table(index) for name, index in _TABLES.items()}
        return SystemRegisters(**fields, cr8=self._image.task_priority)

    def write(self, registers: SystemRegisters) -> None:
        """Translations must be flushed afterwards."""
        self._control[:] = [getattr(registers, name) for name in _CONTROL]
        for name, msr in zip(_MODEL_SPECIFIC, self._msrs, strict=True):
            msr.value = getattr(registers, name)
        check(LIBRARY.uc_reg_write_batch(self._handle, self._ids, self._places, len(self._ids)))
        self._image.take()
        for name, index in _SEGMENTS.items():
            one: Segment = getattr(registers, name)
            self._image.set_segment(index, one.selector, one.limit, one.attributes << _IN_DESCRIPTOR, one.base)
        for name, index in _TABLES.items():
            table: TableRegister = getattr(registers, name)
            self._image.set_segment(index, 0, table.limit, 0, table.base)
        self._image.set_cpl(registers.cpl)
        self._image.task_priority = registers.cr8
        self._image.put()

    def _segment(self, index: int) -> Segment:
        """The engine leaves two things of a load undone: LTR makes a TSS busy, LLDT of null means none."""
        selector, base, limit, upper = self._image.segment(index)
        attributes = upper >> _IN_DESCRIPTOR & _ATTRIBUTES
        if index == TR:
            attributes |= _BUSY
        elif index == LDT and not limit and not selector >> 2:
            attributes = 0
        return Segment(base, limit, selector, attributes)

    def _table(self, index: int) -> TableRegister:
        found = self._image.table(index)
        return TableRegister(found.base, found.limit)

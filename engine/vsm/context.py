"""HV_INITIAL_VP_CONTEXT as a value: the registers that a VTL, or a processor, begins with."""

import ctypes
from typing import Any

import msgspec

from engine.abi import x86
from engine.abi.tlfs import processor
from engine.model.system_registers import SEGMENTS, TABLES, Segment

_NUMBERS = ("rip", "rsp", "rflags", "efer", "cr0", "cr3", "cr4", "pat")


class Table(msgspec.Struct, frozen=True, gc=False):
    """IDTR or GDTR. `padding` is the six bytes in front, kept so that nothing is lost."""

    base: int = 0
    limit: int = 0
    padding: int = 0


class InitialContext(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of the layout, in its order."""

    rip: int = 0
    rsp: int = 0
    rflags: int = x86.RFLAGS_FIXED
    cs: Segment = Segment()
    ds: Segment = Segment()
    es: Segment = Segment()
    fs: Segment = Segment()
    gs: Segment = Segment()
    ss: Segment = Segment()
    tr: Segment = Segment()
    ldtr: Segment = Segment()
    idtr: Table = Table()
    gdtr: Table = Table()
    efer: int = 0
    cr0: int = 0
    cr3: int = 0
    cr4: int = 0
    pat: int = 0


def decode_segment(raw: Any) -> Segment:
    """From a processor.SegmentRegister."""
    return Segment(raw.base, raw.limit, raw.selector, raw.attributes)


def encode_segment(segment: Segment) -> processor.SegmentRegister:
    return processor.SegmentRegister(segment.base, segment.limit, segment.selector, segment.attributes)


def decode_context(raw: processor.InitialVpContext) -> InitialContext:
    fields: dict[str, Any] = {name: getattr(raw, name) for name in _NUMBERS}
    fields |= {name: decode_segment(getattr(raw, name)) for name in SEGMENTS}
    fields |= {name: _decode_table(getattr(raw, name)) for name in TABLES}
    return InitialContext(**fields)


def encode_context(context: InitialContext) -> processor.InitialVpContext:
    raw = processor.InitialVpContext(**{name: getattr(context, name) for name in _NUMBERS})
    for name in SEGMENTS:
        setattr(raw, name, encode_segment(getattr(context, name)))
    for name in TABLES:
        setattr(raw, name, _encode_table(getattr(context, name)))
    return raw


def _decode_table(raw: Any) -> Table:
    return Table(raw.base, raw.limit, int.from_bytes(bytes(raw.padding), "little"))


def _encode_table(table: Table) -> processor.TableRegister:
    padding = (ctypes.c_uint16 * 3).from_buffer_copy(table.padding.to_bytes(6, "little"))
    return processor.TableRegister(padding, table.limit, table.base)


def is_startable(context: InitialContext, vtl: int) -> bool:
    """Whether a processor can begin with it in `vtl`; what fails is HV_STATUS_INVALID_REGISTER_VALUE.

    Real mode is not supported above VTL0 (TLFS, Real Mode). Paging needs protected mode; long mode is active exactly
    when it is enabled and paging is on, and needs PAE (SDM Vol. 3, 2.5 and 11.8.5).
    """
    paging, protected = bool(context.cr0 & x86.CR0_PG), bool(context.cr0 & x86.CR0_PE)
    enabled, active = bool(context.efer & x86.EFER_LME), bool(context.efer & x86.EFER_LMA)
    if not context.rflags & x86.RFLAGS_FIXED or (vtl and not protected) or (paging and not protected):
        return False
    if active != (enabled and paging):
        return False
    return not active or bool(context.cr4 & x86.CR4_PAE)

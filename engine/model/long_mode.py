"""Which system registers a processor in 64-bit mode can have (SDM Vol. 3, 2.5, 3.4.5, 11.8.5 and 27.3.1)."""

from collections.abc import Iterator

from engine.abi import x86
from engine.model.system_registers import SEGMENTS, TABLES, Segment, SystemRegisters

Broken = tuple[str, object, str]
"""Field, its value, the rule."""
_ADDRESSES = ("kernel_gs_base", "lstar", "cstar", "sysenter_eip", "sysenter_esp")
_WORDS = ("cr0", "cr3", "cr4", "efer", "pat", "star", "sfmask", "sysenter_cs", *_ADDRESSES)
_RESERVED = 0x0F00
"""Segment attributes: where a descriptor has bits of its limit."""
_KIND, _CODE, _DATA = 0x9D, 0x99, 0x91
"""Present, S, and of the type: code, conforming, accessed."""
_SYSTEM, _LDT, _BUSY = 0x9F, 0x82, 0x8B
"""Present, S and type; of a TSS in use."""
_LONG, _BIG, _PAGES = 1 << 13, 1 << 14, 1 << 15
_ALWAYS, _NEVER = 0xFFF, 0xFFF0_0000
"""Bits of a limit that are set where it is in pages, and that are clear where it is in bytes."""
_EFER = 0x0036_FD01
"""SCE, LME, LMA, NXE, SVME, LMSLE, FFXSR, TCE, MCOMMIT, INTWB, UAIE and AIBRSE (APM Vol. 2, 3.1.7)."""
_MOST_PRIORITY = 15
_MEMORY_TYPES = frozenset({0, 1, 4, 5, 6, 7})


def is_64_bit(registers: SystemRegisters) -> bool:
    """Paging and long mode are on, and code is 64-bit code."""
    active = registers.efer & x86.EFER_LMA and registers.cr0 & x86.CR0_PG
    return bool(active) and registers.cs.attributes & (_LONG | _BIG) == _LONG


def broken(registers: SystemRegisters) -> Broken | None:
    """The first rule that is not kept; the bits of CR4 and EFER that only some processors have are their own affair."""
    return next(_broken(registers), None)


def is_canonical(address: int) -> bool:
    return address >> 47 in (0, 0x1FFFF)


def is_pat(value: int) -> bool:
    """Each of the eight bytes is a memory type."""
    return not value >> 64 and all(byte in _MEMORY_TYPES for byte in value.to_bytes(8, "little"))


def _broken(registers: SystemRegisters) -> Iterator[Broken]:
    yield from _wide(registers)
    yield from _control(registers)
    if not is_pat(registers.pat):
        yield "pat", registers.pat, "eight memory types"
    if registers.sysenter_cs >> 16:
        yield "sysenter_cs", registers.sysenter_cs, "a selector"
    for name in _ADDRESSES:
        if not is_canonical(getattr(registers, name)):
            yield name, getattr(registers, name), "canonical"
    for name in TABLES:
        table = getattr(registers, name)
        if not is_canonical(table.base) or not 0 <= table.limit < 1 << 16:
            yield name, str(table), "a canonical base and a limit of 16 bits"
    yield from _segments(registers)


def _control(registers: SystemRegisters) -> Iterator[Broken]:
    cr0, efer = registers.cr0, registers.efer
    if cr0 >> 32 or (cr0 & x86.CR0_PG and not cr0 & x86.CR0_PE) or (cr0 & x86.CR0_NW and not cr0 & x86.CR0_CD):
        yield "cr0", cr0, "PG needs PE, NW needs CD, 32 bits"
    if registers.cr3 >> 52:
        yield "cr3", registers.cr3, "52 bits"
    if not 0 <= registers.cr8 <= _MOST_PRIORITY:
        yield "cr8", registers.cr8, "4 bits"
    active = bool(efer & x86.EFER_LME and cr0 & x86.CR0_PG)
    if bool(efer & x86.EFER_LMA) != active:
        yield "efer", efer, "LMA is LME with paging on"
    if efer & ~_EFER:
        yield "efer", efer, "bits that some processor has"
    if active and not registers.cr4 & x86.CR4_PAE:
        yield "cr4", registers.cr4, "long mode needs PAE"


def _wide(registers: SystemRegisters) -> Iterator[Broken]:
    for name in _WORDS:
        if not 0 <= getattr(registers, name) < 1 << 64:
            yield name, getattr(registers, name), "64 bits"


def _segments(registers: SystemRegisters) -> Iterator[Broken]:
    for name in SEGMENTS:
        segment: Segment = getattr(registers, name)
        whole = 0 <= segment.limit < 1 << 32 and 0 <= segment.selector < 1 << 16 and 0 <= segment.attributes < 1 << 16
        if not whole or segment.attributes & _RESERVED or not is_canonical(segment.base):
            yield name, str(segment), "a canonical base, 32, 16 and 16 bits; attributes 11:8 are 0"
        if segment.present and not _fits(segment):
            yield name, str(segment), "with G, a limit of whole pages, else one below 1 MiB"
    for name in ("ds", "es", "fs", "gs", "ss"):
        segment = getattr(registers, name)
        if segment.present and segment.attributes & _DATA != _DATA:
            yield name, str(segment), "null, or an accessed data or code segment"
    if registers.ss.selector & 3 != registers.cpl:
        yield "ss", str(registers.ss), "a selector of its own privilege level (SDM Vol. 3, 27.3.1.2)"
    cs = registers.cs
    if cs.attributes & _KIND != _CODE or cs.dpl != registers.cpl:
        yield "cs", str(cs), "present, accessed code of SS's privilege level, not conforming"
    if registers.tr.attributes & _SYSTEM != _BUSY:
        yield "tr", str(registers.tr), "a busy TSS"
    if registers.ldtr.present and registers.ldtr.attributes & _SYSTEM != _LDT:
        yield "ldtr", str(registers.ldtr), "none, or an LDT"


def _fits(segment: Segment) -> bool:
    if segment.attributes & _PAGES:
        return segment.limit & _ALWAYS == _ALWAYS
    return not segment.limit & _NEVER

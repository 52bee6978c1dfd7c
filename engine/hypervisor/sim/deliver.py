"""An exception enters the guest through its IDT, as in 64-bit mode (SDM Vol. 3, 6.14 and 6.15; Vol. 2, INT n).

Pure: what it reads, and where the frame goes, is the caller's affair. Nothing has changed when it fails.
"""

import struct
from typing import Protocol

import msgspec

from engine.abi import x86
from engine.hypervisor.contract.vectors import (
    DIVIDE_ERROR,
    DOUBLE_FAULT,
    FAULTS,
    GENERAL_PROTECTION,
    INVALID_TSS,
    NOT_PRESENT,
    PAGE_FAULT,
    STACK_FAULT,
)

_CONTRIBUTORY = frozenset({DIVIDE_ERROR, INVALID_TSS, NOT_PRESENT, STACK_FAULT, GENERAL_PROTECTION})
_INTERRUPT_GATE, _TRAP_GATE = 0xE, 0xF
_CLEARED = x86.RFLAGS_TF | x86.RFLAGS_NT | x86.RFLAGS_RF | x86.RFLAGS_VM
_IN_IDT = 2
_STACKS = 4
"""Offset of RSP0 in the TSS."""
_IST = 0x24


class Event(msgspec.Struct, frozen=True, gc=False):
    """An exception on its way. `software`: by INT n or INT3, RIP is behind it. `address`: what CR2 gets."""

    vector: int
    error_code: int | None = None
    address: int | None = None
    software: bool = False
    external: bool = False
    """An interrupt: its vector is no exception's, whatever the number."""


class Table(msgspec.Struct, frozen=True, gc=False):
    """`limit` is the offset of the last byte."""

    base: int
    limit: int
    selector: int = 0


class System(msgspec.Struct, frozen=True, gc=False):
    """The registers that delivery looks at beside the general ones."""

    cs: int
    ss: int
    gdt: Table
    idt: Table
    tss: Table

    @property
    def cpl(self) -> int:
        return self.ss & 3


class Segment(msgspec.Struct, frozen=True, gc=False):
    """A segment register: `descriptor` is its upper half, 0 for a null segment."""

    selector: int
    descriptor: int = 0


class Entry(msgspec.Struct, frozen=True, gc=False):
    """How the handler begins. `ss`: None where it stays; `frame` goes at RSP."""

    rip: int
    rsp: int
    rflags: int
    cs: Segment
    ss: Segment | None
    frame: bytes


class FaultError(Exception):
    """What was to be delivered meets an exception itself."""

    def __init__(self, event: Event) -> None:
        super().__init__(event)
        self.event = event


class TripleFaultError(Exception):
    """A double fault could not be delivered."""


class Registers(Protocol):
    @property
    def rip(self) -> int: ...
    @property
    def rsp(self) -> int: ...
    @property
    def rflags(self) -> int: ...


class Reader(Protocol):
    """`size` bytes at a linear address, for the processor itself: FaultError where the tables do not lead there."""

    def __call__(self, gva: int, size: int) -> bytes: ...


class Gate(msgspec.Struct, frozen=True, gc=False):
    """An IDT entry of 16 bytes (SDM Vol. 3, 6.14.1)."""

    target: int
    selector: int
    stack: int
    kind: int
    dpl: int
    present: bool


def combined(first: Event, second: Event) -> Event:
    """What is delivered when `second` arises while `first` is (SDM Vol. 3, table 6-5); TripleFaultError."""
    page_fault = second.vector == PAGE_FAULT
    worse = second.vector in _CONTRIBUTORY or page_fault
    if first.vector == DOUBLE_FAULT and worse:
        raise TripleFaultError
    severe = (first.vector in _CONTRIBUTORY and not page_fault) or first.vector == PAGE_FAULT
    benign = first.software or first.external
    return Event(DOUBLE_FAULT, 0) if severe and worse and not benign else second


def enter(event: Event, system: System, registers: Registers, read: Reader) -> Entry:
    """FaultError when a check fails, with the error code that names the table entry at fault."""
    external = 0 if event.software else 1
    gate = _gate(event, system, read, external)
    descriptor, inner = _code_segment(gate, system, read, external)
    stack = _stack(gate, inner, system, registers.rsp, read, external)
    words = [system.ss, registers.rsp, _pushed_flags(event, registers.rflags), system.cs, registers.rip]
    if event.error_code is not None:
        words.append(event.error_code)
    frame = struct.pack(f"<{len(words)}Q", *reversed(words))
    if not canonical(gate.target):
        raise FaultError(Event(GENERAL_PROTECTION, external))
    cleared = _CLEARED | (x86.RFLAGS_IF if gate.kind == _INTERRUPT_GATE else 0)
    cpl = system.cpl if inner is None else inner
    return Entry(
        rip=gate.target,
        rsp=((stack & ~0xF) - len(frame)) % (1 << 64),
        rflags=registers.rflags & ~cleared,
        cs=Segment(gate.selector & ~3 | cpl, descriptor),
        ss=None if inner is None and not gate.stack else Segment(cpl),
        frame=frame,
    )


def canonical(address: int) -> bool:
    return address >> 47 in (0, 0x1FFFF)


def _gate(event: Event, system: System, read: Reader, external: int) -> Gate:
    code = event.vector * 8 + _IN_IDT + external
    if event.vector * 16 + 15 > system.idt.limit:
        raise FaultError(Event(GENERAL_PROTECTION, code))
    gate = _parsed(read(system.idt.base + event.vector * 16, 16))
    if gate.kind not in (_INTERRUPT_GATE, _TRAP_GATE) or (event.software and gate.dpl < system.cpl):
        raise FaultError(Event(GENERAL_PROTECTION, code))
    if not gate.present:
        raise FaultError(Event(NOT_PRESENT, code))
    return gate


def _parsed(raw: bytes) -> Gate:
    low, selector, stack, kind, middle, high = struct.unpack("<HHBBHI4x", raw)
    target = low | middle << 16 | high << 32
    # Bit 4 is clear in a gate: what it is in a segment's descriptor.
    return Gate(target, selector, stack & 7, kind & 0x1F, kind >> 5 & 3, bool(kind >> 7))


def _code_segment(gate: Gate, system: System, read: Reader, external: int) -> tuple[int, int | None]:
    """(upper half of the handler's descriptor, its CPL where that is more privileged)."""
    code = gate.selector & ~3 | external
    if gate.selector & ~3 == 0:
        raise FaultError(Event(GENERAL_PROTECTION, external))
    if gate.selector & 4 or (gate.selector | 7) > system.gdt.limit:  # there is no LDT
        raise FaultError(Event(GENERAL_PROTECTION, code))
    upper = int.from_bytes(read(system.gdt.base + (gate.selector & ~7) + 4, 4), "little")
    dpl = upper >> 13 & 3
    is_code, conforming = upper >> 11 & 3 == 3, bool(upper >> 10 & 1)
    is_long = upper >> 21 & 3 == 1
    if not is_code or dpl > system.cpl or not is_long:
        raise FaultError(Event(GENERAL_PROTECTION, code))
    if not upper >> 15 & 1:
        raise FaultError(Event(NOT_PRESENT, code))
    return upper, dpl if dpl < system.cpl and not conforming else None


def _stack(gate: Gate, inner: int | None, system: System, rsp: int, read: Reader, external: int) -> int:
    if gate.stack:
        at = _IST + 8 * (gate.stack - 1)
    elif inner is not None:
        at = _STACKS + 8 * inner
    else:
        return _checked_stack(rsp, external)
    if at + 7 > system.tss.limit:
        raise FaultError(Event(INVALID_TSS, system.tss.selector & ~7 | external))
    return _checked_stack(int.from_bytes(read(system.tss.base + at, 8), "little"), external)


def _checked_stack(rsp: int, external: int) -> int:
    if not canonical(rsp):
        raise FaultError(Event(STACK_FAULT, external))
    return rsp


def _pushed_flags(event: Event, rflags: int) -> int:
    fault = event.vector in FAULTS and not event.software and not event.external
    return rflags | (x86.RFLAGS_RF if fault else 0)

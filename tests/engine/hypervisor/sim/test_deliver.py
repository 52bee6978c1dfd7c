"""Delivery without an emulator: gates, stacks, privilege, and what becomes of an exception during an exception."""

import struct

import pytest

from engine.abi import x86
from engine.hypervisor.sim.deliver import (
    Entry,
    Event,
    FaultError,
    Segment,
    System,
    Table,
    TripleFaultError,
    combined,
    enter,
)
from engine.model.registers import Registers
from engine.x86.descriptors import GDT

IDT, TSS = 0x1000, 0x2000
RSP0, IST1 = 0x8000, 0x9000
USER_CODE, USER_DATA = 0x1B, 0x23
TARGET = 0xFFFF_8000_0001_2340
REGISTERS = Registers(rip=0x400000, rsp=0x7FF5, rflags=0x202)
KERNEL = System(x86.CODE_SELECTOR, x86.DATA_SELECTOR, Table(0, 0x2F), Table(IDT, 0xFFF), Table(TSS, 0x67, 0x28))
USER = System(USER_CODE, USER_DATA, KERNEL.gdt, KERNEL.idt, KERNEL.tss)
USER_SEGMENTS = struct.pack("<2Q", x86.DESCRIPTOR_CODE | 3 << 45, x86.DESCRIPTOR_DATA | 3 << 45)
CODE_32 = x86.DESCRIPTOR_CODE & ~(1 << 53) | 1 << 54
DE, UD, DF, TS, NP, SS, GP, PF = 0, 6, 8, 10, 11, 12, 13, 14


def _gate(kind: int = 0x8E, selector: int = x86.CODE_SELECTOR, stack: int = 0, target: int = TARGET) -> bytes:
    low, middle, high = target & 0xFFFF, target >> 16 & 0xFFFF, target >> 32
    return struct.pack("<HHBBHII", low, selector, stack, kind, middle, high, 0)


def _enter(
    event: Event, gate: bytes, system: System = KERNEL, registers: Registers = REGISTERS, gdt: bytes = b""
) -> Entry:
    memory = bytearray(0x3000)
    memory[: len(GDT)] = GDT
    memory[0x18 : 0x18 + len(USER_SEGMENTS)] = gdt or USER_SEGMENTS
    memory[IDT + 16 * event.vector : IDT + 16 * event.vector + 16] = gate
    memory[TSS + 4 : TSS + 12] = struct.pack("<Q", RSP0)
    memory[TSS + 0x24 : TSS + 0x34] = struct.pack("<2Q", IST1, 1 << 63)
    return enter(event, system, REGISTERS, lambda gva, size: bytes(memory[gva : gva + size]))


def _refused(event: Event, gate: bytes, system: System = KERNEL, gdt: bytes = b"") -> tuple[int, int | None]:
    with pytest.raises(FaultError) as fault:
        _enter(event, gate, system, gdt=gdt)
    return fault.value.event.vector, fault.value.event.error_code


def test_the_frame_of_the_same_privilege() -> None:
    entry = _enter(Event(GP, 0x50), _gate())
    assert (entry.rip, entry.rsp, entry.rflags, entry.cs.selector, entry.ss) == (TARGET, 0x7FF0 - 48, 2, 8, None)
    assert struct.unpack("<6Q", entry.frame) == (0x50, 0x400000, 8, 0x1_0202, 0x7FF5, 0x10)


def test_from_user_mode_the_stack_is_the_tasks() -> None:
    entry = _enter(Event(UD), _gate(), USER)
    assert (entry.rsp, entry.cs.selector, entry.ss) == (RSP0 - 40, 8, Segment(0))
    assert struct.unpack("<5Q", entry.frame) == (0x400000, USER_CODE, 0x1_0202, 0x7FF5, USER_DATA)


@pytest.mark.parametrize("system", [KERNEL, USER])
def test_a_gate_may_name_a_stack_of_its_own(system: System) -> None:
    entry = _enter(Event(DF, 0), _gate(stack=1), system)
    assert (entry.rsp, entry.ss) == (IST1 - 48, Segment(0))


def test_what_int_n_pushes_is_not_to_be_resumed() -> None:
    entry = _enter(Event(3, software=True), _gate(kind=0xEF), USER)
    assert struct.unpack("<5Q", entry.frame)[2] == 0x202
    assert entry.rflags == 0x202


REFUSALS = {
    "no gate": (bytes(16), GP, UD * 8 + 3),
    "a call gate": (_gate(kind=0x8C), GP, UD * 8 + 3),
    "not present": (_gate(kind=0x0E), NP, UD * 8 + 3),
    "null selector": (_gate(selector=0), GP, 1),
    "selector beyond the GDT": (_gate(selector=0x50), GP, 0x51),
    "selector of an LDT": (_gate(selector=0x0C), GP, 0x0D),
    "data segment": (_gate(selector=0x10), GP, 0x11),
    "code of user mode": (_gate(selector=USER_CODE), GP, 0x19),
    "target not canonical": (_gate(target=1 << 63), GP, 1),
    "stack not canonical": (_gate(stack=2), SS, 1),
    "stack beyond the TSS": (_gate(stack=7), TS, 0x29),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_check_that_fails_names_the_entry(name: str) -> None:
    gate, vector, code = REFUSALS[name]
    tss = Table(TSS, 0x24 + 8 * 6, 0x28)
    assert _refused(Event(UD), gate, System(8, 0x10, KERNEL.gdt, KERNEL.idt, tss)) == (vector, code)


def test_a_segment_must_be_long_and_present() -> None:
    assert _refused(Event(UD), _gate(selector=0x18), gdt=struct.pack("<Q", CODE_32)) == (GP, 0x19)
    assert _refused(Event(UD), _gate(selector=0x18), gdt=struct.pack("<Q", x86.DESCRIPTOR_CODE & ~(1 << 47))) == (
        NP,
        0x19,
    )


def test_int_n_needs_a_gate_for_its_privilege() -> None:
    event = Event(0x20, software=True)
    assert _refused(event, _gate(), USER) == (GP, 0x20 * 8 + 2)
    assert _enter(event, _gate(), KERNEL).rip == TARGET
    assert _enter(event, _gate(kind=0xEE), USER).rip == TARGET


def test_a_vector_beyond_the_idt() -> None:
    system = System(8, 0x10, KERNEL.gdt, Table(IDT, 16 * 6 + 14), KERNEL.tss)
    assert _refused(Event(UD), _gate(), system) == (GP, UD * 8 + 3)


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [(UD, GP, GP), (UD, PF, PF), (DE, NP, DF), (GP, PF, PF), (GP, GP, DF), (PF, PF, DF), (PF, SS, DF), (PF, UD, UD)],
)
def test_an_exception_during_an_exception(first: int, second: int, together: int) -> None:
    """SDM Vol. 3, table 6-5."""
    assert combined(Event(first), Event(second)).vector == together


def test_int_n_does_not_add_up() -> None:
    assert combined(Event(GP, software=True), Event(GP, 0x6A)).vector == GP


@pytest.mark.parametrize("second", [GP, PF, NP])
def test_a_double_fault_that_fails_is_the_end(second: int) -> None:
    with pytest.raises(TripleFaultError):
        combined(Event(DF, 0), Event(second))

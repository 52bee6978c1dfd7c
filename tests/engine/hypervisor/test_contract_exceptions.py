"""The contract, one body for every hypervisor: what the guest does wrong enters the guest itself, through its IDT."""

import struct

import pytest

from engine.abi import x86
from engine.conformance.exceptions import BEYOND, CROOKED, FAULTS, Fault, faults_as_write
from engine.conformance.handlers import IDT, handle, handler_of
from engine.hypervisor.contract.errors import Unsupported
from engine.model.exits import HltExit, ShutdownExit
from engine.model.layout import PAGE_DIRECTORIES, code_base
from engine.x86.paging import NO_EXECUTE, WRITABLE
from tests.engine.hypervisor.guest import Guest

START = code_base(0)
STACK = Guest.DATA + 0x2000
"""Top of a stack in the logged slot, so that frames show in its log."""
TF, IF, RF = 1 << 8, 1 << 9, 1 << 16
DB, UD, DF, GP, PF = 1, 6, 8, 13, 14
_TRAP_GATE = 0x8F


CASES = [
    *FAULTS,
    Fault("selector beyond the GDT", "mov eax, 0x50\nmov ds, eax", GP, 0x50, at=5),
    Fault("crossing load", "mov rcx, [rbx-3]", PF, 0, cr2=BEYOND),
    Fault("crossing store", "mov [rbx-3], rcx", PF, 2, cr2=BEYOND),
    Fault("write protected", "mov [r8], rcx", PF, 3, cr2=Guest.VOID),
]


def _begin(guest: Guest, assembly: str, **registers: int) -> None:
    guest.load(assembly, **{"rsp": STACK, "rbx": BEYOND, "rdx": CROOKED, "r8": Guest.VOID, **registers})
    guest.dirty()


def _halts_in(guest: Guest, vector: int) -> None:
    assert isinstance(guest.vcpu.run(), HltExit)
    assert guest.vcpu.registers().rip == handler_of(vector) + 1


def _frame(guest: Guest, words: int) -> tuple[int, ...]:
    """What is on the stack, the word at RSP first."""
    return struct.unpack(f"<{words}Q", guest.memory.read(guest.vcpu.registers().rsp, 8 * words))


def _must_fault_as_write(guest: Guest, code: int) -> None:
    try:
        faults_as_write(guest.vm.capabilities, code)
    except Unsupported as cannot:
        pytest.skip(cannot.reason)


def _protect(guest: Guest, address: int, clear: int = 0, put: int = 0) -> None:
    """Change the rights of the 2 MiB around `address` in the guest's tables, before anything is translated there."""
    entry = PAGE_DIRECTORIES + 8 * (address >> 21)
    guest.memory.write(entry, (guest.word(entry) & ~clear | put).to_bytes(8, "little"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_exception_enters_its_handler(guest: Guest, case: Fault) -> None:
    _protect(guest, Guest.VOID, clear=WRITABLE)
    handle(guest, {case.vector: "hlt\nmov rdi, cr2\nhlt"})
    _begin(guest, case.assembly)
    _halts_in(guest, case.vector)
    code = [] if case.error_code is None else [case.error_code]
    *pushed, rip, cs, rflags, rsp, ss = _frame(guest, 5 + len(code))
    if case.modifies:
        _must_fault_as_write(guest, pushed[0])
    assert (pushed, rip, cs, rsp, ss) == (code, START + case.at, x86.CODE_SELECTOR, STACK, x86.DATA_SELECTOR)
    assert rflags & (RF | 2) == RF | 2
    assert guest.vcpu.registers().rflags & (RF | TF | IF) == 0
    assert STACK - 0x1000 in guest.dirty()
    if case.vector == PF:
        assert guest.drive() == []
        assert guest.vcpu.registers().rdi == case.cr2


def test_a_load_that_is_to_be_stored_back_faults_as_a_write(guest: Guest) -> None:
    """SDM Vol. 3, 4.7."""
    handle(guest, {PF: "hlt"})
    _begin(guest, "add [rbx], rcx")
    _halts_in(guest, PF)
    code, rip = _frame(guest, 2)
    assert rip == START
    _must_fault_as_write(guest, code)
    assert code == 2


@pytest.mark.parametrize(("target", "code"), [(BEYOND, 0x10), (Guest.VOID, 0x11)], ids=["absent", "no execute"])
def test_a_fetch_that_the_tables_refuse_is_a_page_fault(guest: Guest, target: int, code: int) -> None:
    _protect(guest, Guest.VOID, put=NO_EXECUTE)
    handle(guest, {PF: "hlt\nmov rdi, cr2\nhlt"})
    _begin(guest, "jmp rbx", rbx=target)
    _halts_in(guest, PF)
    assert _frame(guest, 2) == (code, target)
    assert guest.drive() == []
    assert guest.vcpu.registers().rdi == target


def test_a_handler_that_mends_the_fault_returns_to_the_instruction(guest: Guest) -> None:
    handle(guest, {GP: "mov ebx, esi\nadd rsp, 8\niretq"})
    _begin(guest, "mov [rbx], rcx\nmov edx, 7\nhlt", rbx=CROOKED, rcx=0x55, rsi=Guest.PAGE)
    assert guest.drive() == []
    registers = guest.vcpu.registers()
    assert (guest.word(), registers.rdx, registers.rsp) == (0x55, 7, STACK)


def test_a_single_step_of_the_guest_traps_behind_the_instruction(guest: Guest) -> None:
    handle(guest, {DB: "hlt"})
    _begin(guest, "push rax\npopfq\nnop\nnop\nhlt", rax=TF | 2)
    _halts_in(guest, DB)
    rip, _, rflags, rsp, _ = _frame(guest, 5)
    assert (rip, rflags, rsp) == (START + 3, TF | 2, STACK)


@pytest.mark.parametrize("trap", [False, True])
def test_an_interrupt_gate_turns_interrupts_off_and_a_trap_gate_does_not(guest: Guest, trap: bool) -> None:
    handle(guest, {UD: "hlt"})
    if trap:
        guest.memory.write(IDT + 16 * UD + 5, bytes([_TRAP_GATE]))
    _begin(guest, "sti\nud2")
    _halts_in(guest, UD)
    assert bool(guest.vcpu.registers().rflags & IF) is trap
    assert _frame(guest, 3)[2] & IF


def test_the_frame_is_aligned(guest: Guest) -> None:
    handle(guest, {UD: "hlt"})
    _begin(guest, "ud2", rsp=STACK - 5)
    _halts_in(guest, UD)
    assert guest.vcpu.registers().rsp == STACK - 16 - 40
    assert _frame(guest, 4)[3] == STACK - 5


def test_what_cannot_be_delivered_is_a_double_fault(guest: Guest) -> None:
    handle(guest, {DF: "hlt"})
    _begin(guest, "nop\nmov rcx, [rbx]")
    _halts_in(guest, DF)
    assert _frame(guest, 2) == (0, START + 1)


@pytest.mark.parametrize("assembly", ["ud2", "push rax"])
def test_what_no_stack_can_take_is_a_triple_fault(guest: Guest, assembly: str) -> None:
    handle(guest, {vector: "hlt" for vector in range(15)})
    _begin(guest, assembly, rsp=BEYOND + 0x1000)
    assert isinstance(guest.vcpu.run(), ShutdownExit)


def test_without_an_idt_an_exception_is_a_triple_fault(guest: Guest) -> None:
    guest.load("ud2")
    assert isinstance(guest.vcpu.run(), ShutdownExit)

"""The contract: an exception as the answer to an exit. Nothing of the instruction has happened, and the guest goes on
in its own handler; what that returns to is executed once."""

import msgspec
import pytest

from engine.conformance.handlers import TAKE_FRAME, handle
from engine.hypervisor.contract.errors import Unsupported
from engine.model.address import PAGE_SIZE
from engine.model.exits import HltExit, IoExit, MmioExit, MsrExit, ProtectionExit, VoidExit
from engine.model.memslot import Memslot, SlotFlags
from engine.model.registers import NAMES, Registers
from engine.model.resolution import Complete, Inject
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import MIB, Guest

PAGE = Guest.PAGE
OTHER = PAGE + 2 * PAGE_SIZE
AROUND = PAGE - PAGE_SIZE
FRAME = 6 * 8
GENERAL_PROTECTION = Inject(13, 0x18)
LEAVE = "out 0x55, al\nadd rsp, 8\niretq"
"""Tell the VMM, take the error code off, and try again."""
START = {"rbx": PAGE, "rdi": PAGE, "rsi": OTHER, "rax": 0x8877665544332211, "rdx": 5, "r15": 0x1234}


class Case(msgspec.Struct, frozen=True):
    """`assembly` ends in the one instruction that is denied; `prepare` is executed before. `after`: (gpa, bytes) that
    memory holds once it has been executed."""

    name: str
    assembly: str
    rights: Rights = Rights.RX
    prepare: str = "nop"
    after: tuple[int, bytes] = (PAGE, b"\x11" * 8)
    halves: bool = False
    """It stores to two pages, one of them open."""


def _word(value: int) -> bytes:
    return value.to_bytes(8, "little")


CASES = [
    Case("store", "mov [rbx], rax", after=(PAGE, _word(START["rax"]))),
    Case("read-modify-write", "inc qword ptr [rbx]", after=(PAGE, _word(0x1111111111111112))),
    Case("locked", "lock inc qword ptr [rbx]", after=(PAGE, _word(0x1111111111111112))),
    Case("exchange", "xchg [rbx], rax", after=(PAGE, _word(START["rax"]))),
    Case("exchange-add", "xadd [rbx], rdx", after=(PAGE, _word(0x1111111111111116))),
    Case("string store", "rep stosb", prepare="mov ecx, 3\nmov al, 0x77", after=(PAGE, b"\x77\x77\x77\x11")),
    Case("string copy in", "movsq", after=(PAGE, b"\x44" * 8)),
    Case("crossing in", "mov [rbx-4], rax", after=(PAGE, _word(START["rax"])[4:]), halves=True),
    Case("crossing out", "mov [rbx+0xffc], rax", after=(PAGE + 0xFFC, _word(START["rax"])), halves=True),
    Case("load", "mov rcx, [rbx]", Rights.NONE),
    Case("vector load", "movdqu xmm1, [rbx]", Rights.NONE),
    Case("load and add", "add rax, [rbx]", Rights.NONE),
    Case("crossing load", "mov rcx, [rbx+0xffc]", Rights.NONE),
    Case("locked load", "lock inc qword ptr [rbx]", Rights.NONE, after=(PAGE, _word(0x1111111111111112))),
    Case("copy out", "movsq", Rights.NONE, "lea rdi, [rsi+0x10]\nmov rsi, rbx", after=(OTHER + 0x10, b"\x11" * 8)),
    Case(
        "repeated copy out",
        "rep movsb",
        Rights.NONE,
        "lea rdi, [rsi+0x10]\nlea rsi, [rbx+0xffe]\nmov ecx, 4",
        after=(OTHER + 0x10, b"\x11\x11\x33\x33"),
    ),
    Case("push", "push rax", prepare="lea rsp, [rbx+8]", after=(PAGE, _word(START["rax"]))),
    Case("call", "call rdx", prepare="lea rsp, [rbx+8]\nlea rdx, [rip+done]", after=(PAGE, _word(0x1000F))),
    Case("push of memory", "push qword ptr [rbx]", Rights.NONE, after=(0x8FF8, b"\x11" * 8)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_denied_instruction_has_not_happened_and_happens_once(guest: Guest, case: Case) -> None:
    handle(guest, {13: LEAVE})
    guest.memory.write(OTHER, b"\x44" * PAGE_SIZE)
    guest.memory.write(PAGE - PAGE_SIZE, b"\x22" * PAGE_SIZE)
    guest.memory.write(0x8F00, bytes(0x100))
    guest.fence(case.rights)
    guest.load(f"{case.prepare}\nout 0x44, al\n{case.assembly}\ndone: hlt", **START)
    before, at = _start(guest), _memory(guest)
    denied = guest.vcpu.run()
    assert isinstance(denied, ProtectionExit)
    assert denied.rip == before.rip
    if case.halves and not guest.vm.capabilities.denies_whole:
        with pytest.raises(Unsupported):
            guest.vcpu.resolve(denied, GENERAL_PROTECTION)
        return
    guest.vcpu.resolve(denied, GENERAL_PROTECTION)
    handler = guest.vcpu.run()
    assert isinstance(handler, IoExit)
    inside = guest.vcpu.registers()
    frame = [guest.word(inside.rsp + 8 * n) for n in range(6)]
    assert (frame[0], frame[1], frame[4]) == (0x18, before.rip, before.rsp)
    assert _general(inside) == _general(before)
    assert inside.rsp == (before.rsp & ~15) - FRAME
    assert _but_for_the_frame(_memory(guest), inside.rsp) == _but_for_the_frame(at, inside.rsp)
    guest.fence(Rights.RWX)
    guest.vcpu.resolve(handler, Complete())
    assert guest.drive() == []
    gpa, expected = case.after
    assert guest.memory.read(gpa, len(expected)) == expected
    assert guest.vcpu.registers().rip == before.rip + len(denied.code) + 1


def _memory(guest: Guest) -> bytes:
    return guest.memory.read(AROUND, 4 * PAGE_SIZE)


def _but_for_the_frame(memory: bytes, rsp: int) -> bytes:
    at = rsp - AROUND
    return memory[:at] + memory[at + FRAME :] if at >= 0 else memory


def _start(guest: Guest) -> Registers:
    """Run up to the instruction, which follows an OUT; the registers there."""
    marker = guest.vcpu.run()
    assert isinstance(marker, IoExit)
    guest.vcpu.resolve(marker, Complete())
    guest.vcpu.settle()
    return guest.vcpu.registers()


def _general(registers: Registers) -> dict[str, int]:
    return {name: getattr(registers, name) for name in NAMES[:-2] if name != "rsp"}


def test_a_denied_fetch(guest: Guest) -> None:
    handle(guest, {14: f"{TAKE_FRAME}hlt"})
    guest.fence(Rights.NONE)
    guest.load("call rbx\nhlt", rbx=PAGE)
    denied = guest.vcpu.run()
    assert isinstance(denied, ProtectionExit)
    guest.vcpu.resolve(denied, Inject(14, 0x11, PAGE))
    assert isinstance(guest.vcpu.run(), HltExit)
    after = guest.vcpu.registers()
    assert (after.r8, after.r9, after.r13) == (0x11, PAGE, PAGE)


@pytest.mark.parametrize(
    "assembly", ["mov [rsi], rax", "mov rcx, [rsi]", "out 0x10, al", "in al, 0x10", "inc dword ptr [rsi]"]
)
def test_an_instruction_whose_fetch_was_let_pass(guest: Guest, assembly: str) -> None:
    """It is executed apart, and taken back from there."""
    handle(guest, {13: f"{TAKE_FRAME}hlt"})
    guest.fence(Rights.NONE)
    guest.load(f"{assembly}\nhlt", at=PAGE)
    guest.load("jmp rbx", rsi=Guest.VOID, rbx=PAGE, rcx=7, rax=0x1234)
    fetch = guest.vcpu.run()
    assert isinstance(fetch, ProtectionExit)
    guest.vcpu.resolve(fetch, Complete())
    exit = guest.vcpu.run()
    assert isinstance(exit, VoidExit | IoExit)
    guest.vcpu.resolve(exit, GENERAL_PROTECTION)
    assert isinstance(guest.vcpu.run(), HltExit)
    after = guest.vcpu.registers()
    assert (after.r9, after.rcx, after.rax) == (PAGE, 7, 0x1234)


@pytest.mark.parametrize("assembly", ["mov [rbx], rax", "mov rcx, [rbx]", "pop qword ptr [rbx]"])
def test_an_access_to_the_void(guest: Guest, assembly: str) -> None:
    handle(guest, {13: f"{TAKE_FRAME}hlt"})
    guest.load(f"{assembly}\nhlt", rbx=Guest.VOID, rcx=7)
    exit = guest.vcpu.run()
    assert isinstance(exit, VoidExit)
    guest.vcpu.resolve(exit, GENERAL_PROTECTION)
    assert isinstance(guest.vcpu.run(), HltExit)
    after = guest.vcpu.registers()
    assert (after.r8, after.r9, after.rcx) == (0x18, 0x10000, 7)


def test_a_store_to_a_readonly_slot(guest: Guest) -> None:
    handle(guest, {13: f"{TAKE_FRAME}hlt"})
    guest.vm.set_memory_region(Memslot(2, Guest.VOID, MIB, 4 * MIB, int(SlotFlags.READONLY)))
    guest.load("add [rbx], rax\nhlt", rbx=Guest.VOID, rax=1)
    exit = guest.vcpu.run()
    assert isinstance(exit, MmioExit)
    guest.vcpu.resolve(exit, GENERAL_PROTECTION)
    assert isinstance(guest.vcpu.run(), HltExit)
    assert guest.vcpu.registers().r9 == 0x10000
    assert guest.word(Guest.VOID) == 0


@pytest.mark.parametrize("assembly", ["out 0x10, al", "in eax, 0x10", "out dx, eax"])
def test_port_io(guest: Guest, assembly: str) -> None:
    handle(guest, {13: f"{TAKE_FRAME}hlt"})
    guest.load(f"nop\n{assembly}\nhlt", rax=0x1122334455667788, rdx=0x20)
    exit = guest.vcpu.run()
    assert isinstance(exit, IoExit)
    guest.vcpu.resolve(exit, GENERAL_PROTECTION)
    assert isinstance(guest.vcpu.run(), HltExit)
    after = guest.vcpu.registers()
    assert (after.r9, after.rax, after.rdx) == (0x10001, 0x1122334455667788, 0x20)


@pytest.mark.parametrize("event", [Inject(13, 0), Inject(6)])
@pytest.mark.parametrize("assembly", ["rdmsr", "wrmsr"])
def test_an_unknown_msr(guest: Guest, assembly: str, event: Inject) -> None:
    handle(guest, {event.vector: f"{TAKE_FRAME}hlt"})
    guest.vm.enable_msr_exits()
    guest.load(f"{assembly}\nhlt", rcx=0x12345, rax=1, rdx=2)
    exit = guest.vcpu.run()
    assert isinstance(exit, MsrExit)
    guest.vcpu.resolve(exit, event)
    assert isinstance(guest.vcpu.run(), HltExit)
    after = guest.vcpu.registers()
    assert (after.r8 if event.vector == 6 else after.r9) == 0x10000
    assert (after.rax, after.rdx) == (1, 2)

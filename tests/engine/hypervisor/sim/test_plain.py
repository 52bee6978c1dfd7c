"""A denied MOV that needs no trial does what the same MOV does where nothing is denied."""

from contextlib import closing

import msgspec
import pytest

from engine.hypervisor.sim.partition import SimHypervisor
from engine.model.address import PAGE_SIZE
from engine.model.exits import HltExit, ProtectionExit, VoidExit
from engine.model.memslot import Memslot
from engine.model.registers import NAMES, Registers
from engine.model.resolution import Complete, Drop, Resolution, Retry
from engine.model.rights import Access, Rights
from engine.x86.plain import plain_load
from tests.engine.hypervisor.guest import MIB, Guest

PAGE = Guest.PAGE
START = {"rax": 0x8877665544332211, "rbx": PAGE, "rcx": 5, "rdi": 0xFFFF_FFFF_FFFF_FF80}
STORES = [
    "mov [rbx], rax",
    "mov [rbx+0x10], eax",
    "mov [rbx+rcx*8+3], ax",
    "mov [rbx], al",
    "mov [rbx+1], ah",
    "mov [rbx+rdi+0x80], bl",
    "mov qword ptr [rbx], -5",
    "mov word ptr [rbx+0xff8], 0x1234",
    "mov [rbx+0xff8], r12",
]
LOADS = [
    "mov rax, [rbx]",
    "mov eax, [rbx+0x10]",
    "mov ax, [rbx+rcx*8+3]",
    "mov al, [rbx]",
    "mov ah, [rbx+1]",
    "mov bl, [rbx+rdi+0x80]",
    "mov r12, [rbx+0xff8]",
    f"movabs rax, [{PAGE + 8:#x}]",
    "mov rbx, [rbx]",
]


class End(msgspec.Struct):
    registers: Registers
    page: bytes
    dirty: set[int]
    instructions: int | None


def _ran(store: str, rights: Rights) -> tuple[End, list[ProtectionExit]]:
    guest = Guest(SimHypervisor())
    with closing(guest.vm):
        guest.fence(rights)
        guest.load(f"mov edx, 7\ncmp edx, 9\n{store}\nsetc dl\nhlt", **START)
        exits = [exit for exit in guest.drive() if isinstance(exit, ProtectionExit)]
        page, dirty = guest.memory.read(PAGE, PAGE_SIZE), guest.dirty()
        return End(guest.vcpu.registers(), page, dirty, guest.vcpu.instructions), exits


@pytest.mark.parametrize("store", STORES)
def test_it_ends_as_if_nothing_had_been_denied(store: str) -> None:
    free, none = _ran(store, Rights.RWX)
    fenced, (exit,) = _ran(store, Rights.R)
    assert fenced == free
    assert none == []
    inside = exit.gpa - PAGE
    assert exit.gpa == exit.gva
    assert exit.data == free.page[inside : inside + exit.size]


@pytest.mark.parametrize("store", STORES)
def test_one_that_is_dropped_leaves_nothing_but_its_length(sim: Guest, store: str) -> None:
    before = sim.memory.read(PAGE, PAGE_SIZE)
    sim.fence(Rights.R)
    sim.load(f"{store}\nhlt", **START)
    start = sim.vcpu.registers()
    (exit,) = sim.drive(lambda _: Drop())
    after = sim.vcpu.registers()
    assert (sim.memory.read(PAGE, PAGE_SIZE), sim.dirty(), sim.vcpu.instructions) == (before, set(), 2)
    assert after.rip == start.rip + len(exit.code) + 1


def test_a_store_that_only_reaches_into_a_fenced_page_is_two_pieces(sim: Guest) -> None:
    sim.fence(Rights.R)
    sim.load("mov [rbx], rax\nhlt", rbx=PAGE - 4, rax=0x1122334455667788)
    (exit,) = sim.drive()
    assert isinstance(exit, ProtectionExit)
    assert (exit.gpa, exit.size, exit.data) == (PAGE, 4, b"\x44\x33\x22\x11")


def test_a_store_whose_slot_has_gone_is_asked_about_again_and_happens_once_it_is_back(sim: Guest) -> None:
    sim.fence(Rights.R)
    sim.load("mov [rbx], rax\nhlt", rbx=PAGE, rax=9)
    denied = sim.vcpu.run()
    sim.vm.set_memory_region(Memslot(1, Guest.DATA, 0, 2 * MIB))
    sim.vcpu.resolve(denied, Complete())
    void = sim.vcpu.run()
    assert isinstance(void, VoidExit)
    sim.vm.set_memory_region(Memslot(1, Guest.DATA, 2 * MIB, 2 * MIB, 1))
    sim.vcpu.resolve(void, Retry())
    assert [type(exit) for exit in sim.drive()] == [ProtectionExit]
    assert (sim.word(), sim.vcpu.instructions) == (9, 2)


@pytest.mark.parametrize("load", LOADS)
def test_a_load_ends_as_if_nothing_had_been_denied(load: str) -> None:
    free, none = _ran(load, Rights.RWX)
    fenced, (exit,) = _ran(load, Rights.NONE)
    assert fenced == free
    assert none == []
    assert (exit.gpa, exit.access, exit.data) == (exit.gva, Access.READ, None)


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize(
    ("answer", "loaded"),
    [
        (Drop(), b"\xff" * 8),
        (Complete(b"\x01\x02"), b"\x01\x02" + b"\xff" * 6),
        (Complete(bytes(range(16))), bytes(range(8))),
    ],
)
def test_a_load_gets_what_it_is_answered(sim: Guest, load: str, answer: Resolution, loaded: bytes) -> None:
    sim.fence(Rights.NONE)
    sim.load(f"{load}\nhlt", **START)
    start = sim.vcpu.registers()
    (exit,) = sim.drive(lambda _: answer)
    assert isinstance(exit, ProtectionExit)
    value = plain_load(exit.code, exit.rip)
    assert value is not None
    held = value.value(msgspec.structs.astuple(start), loaded[: exit.size])
    rip = start.rip + len(exit.code) + 1
    after = msgspec.structs.replace(start, **{NAMES[value.register]: held, "rip": rip})
    assert sim.vcpu.registers() == after


def test_a_load_that_reaches_into_a_fenced_page_is_a_piece_of_it(sim: Guest) -> None:
    sim.fence(Rights.NONE)
    sim.load("mov rax, [rbx]\nhlt", rbx=PAGE - 4)
    (exit,) = sim.drive()
    assert isinstance(exit, ProtectionExit)
    assert (exit.gpa, exit.size, exit.data) == (PAGE, 4, None)


def test_a_load_whose_slot_has_gone_is_asked_about_again(sim: Guest) -> None:
    sim.fence(Rights.NONE)
    sim.load("mov rax, [rbx]\nhlt", rbx=PAGE, rax=5)
    denied = sim.vcpu.run()
    sim.vm.set_memory_region(Memslot(1, Guest.DATA, 0, 2 * MIB))
    sim.vcpu.resolve(denied, Complete())
    void = sim.vcpu.run()
    assert isinstance(void, VoidExit)
    sim.vcpu.resolve(void, Drop())
    assert isinstance(sim.vcpu.run(), HltExit)
    assert sim.vcpu.registers().rax == (1 << 64) - 1

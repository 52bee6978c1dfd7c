"""Denied instructions done with the VMM's answers: dropped, fed, or in part; the same on every kind of KVM."""

import pytest

from engine.model.exits import AnyExit, ProtectionExit
from engine.model.resolution import Complete, Drop, Resolution
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import Guest

PAGE = Guest.PAGE
OLD = 0x1111111111111111

DROPPED = {
    "xadd leaves what was in memory in the register": ("xadd [rbx], rdx", {"rdx": OLD}),
    "push moves the stack": ("lea rsp, [rbx+8]\npush rdx", {"rsp": PAGE}),
    "pop to memory moves the stack": ("lea rsp, [rbx+0x1000]\npop qword ptr [rbx]", {"rsp": PAGE + 0x1008}),
    "call goes to its target": ("lea rsp, [rbx+8]\ncall on\nhlt\non: inc r12", {"rsp": PAGE, "r12": 1}),
    "stosq moves on": ("mov ecx, 3\nrep stosq", {"rcx": 0, "rdi": PAGE + 24}),
    "cmpxchg tells what it found": ("mov eax, 1\ncmpxchg [rbx], rdx", {"rax": OLD}),
}


@pytest.mark.parametrize("name", DROPPED)
def test_a_dropped_store_leaves_the_registers_as_the_instruction_does(guest: Guest, name: str) -> None:
    assembly, registers = DROPPED[name]
    guest.fence(Rights.RX)
    guest.load(f"{assembly}\nhlt", rbx=PAGE, rdi=PAGE, rdx=5)
    assert guest.drive(lambda _: Drop())
    assert guest.memory.read(PAGE, 24) == b"\x11" * 24
    found = guest.vcpu.registers()
    assert {register: getattr(found, register) for register in registers} == registers


def test_a_load_that_was_fed_makes_the_store_after_it(guest: Guest) -> None:
    """add [rbx], rdx: its load gets 7, its store is told as 7 + 5 and lands."""

    def answer(exit: AnyExit) -> Resolution:
        assert isinstance(exit, ProtectionExit)
        return Complete((7).to_bytes(8, "little")) if exit.access == "read" else Complete()

    guest.fence(Rights.NONE)
    guest.load("add [rbx], rdx\nhlt", rbx=PAGE, rdx=5)
    exits = guest.drive(answer)
    assert [(exit.access, exit.data) for exit in exits if isinstance(exit, ProtectionExit)] == [
        ("read", None),
        ("write", (12).to_bytes(8, "little")),
    ]
    assert guest.word() == 12
    assert PAGE in guest.dirty()


def test_a_dropped_load_and_a_dropped_store_of_one_instruction(guest: Guest) -> None:
    guest.fence(Rights.NONE)
    guest.load("inc qword ptr [rbx]\nhlt", rbx=PAGE)
    exits = guest.drive(lambda _: Drop())
    assert [exit.data for exit in exits if isinstance(exit, ProtectionExit)] == [None, bytes(8)]
    assert guest.word() == OLD


def test_of_a_crossing_store_only_the_fenced_part_is_dropped(guest: Guest) -> None:
    guest.fence(Rights.RX)
    guest.load("mov [rbx], rdx\nhlt", rbx=PAGE + 0xFFC, rdx=5)
    guest.drive(lambda _: Drop())
    assert guest.memory.read(PAGE + 0xFFC, 8) == b"\x11" * 4 + bytes(4)
    assert guest.dirty() == {PAGE + 0x1000}


def test_what_a_trial_writes_stays_out_of_ram(guest: Guest) -> None:
    guest.fence(Rights.RX)
    guest.load("mov [rbx], rdx\nhlt", rbx=PAGE, rdx=5)
    exit = guest.vcpu.run()
    assert isinstance(exit, ProtectionExit)
    assert exit.data == (5).to_bytes(8, "little")
    assert guest.word() == OLD
    assert guest.dirty() == set()
    guest.memory.write(PAGE, bytes(8))
    guest.vcpu.resolve(exit, Complete())
    guest.vcpu.settle()
    assert guest.word() == 5


def test_the_next_trial_sees_ram_as_it_is_then(guest: Guest) -> None:
    guest.fence(Rights.RX)
    for value in (1, 10):
        guest.memory.write(PAGE, value.to_bytes(8, "little"))
        guest.load("inc qword ptr [rbx]\nhlt", rbx=PAGE)
        (exit,) = guest.drive(lambda _: Drop())
        assert isinstance(exit, ProtectionExit)
        assert exit.data == (value + 1).to_bytes(8, "little")


def test_flags_pushed_to_a_fenced_page_have_no_trap_flag_of_a_trial(guest: Guest) -> None:
    guest.fence(Rights.RX)
    guest.load("lea rsp, [rbx+8]\npushfq\nhlt", rbx=PAGE)
    (exit,) = guest.drive()
    assert isinstance(exit, ProtectionExit)
    assert exit.data == guest.word().to_bytes(8, "little")
    assert guest.word() & 0x1FF == 2

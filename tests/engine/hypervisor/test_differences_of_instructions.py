"""Rows 4 and 14 to 23 of docs/differences.md: what single instructions do on each hypervisor."""

import pytest

from engine.conformance.handlers import handle
from engine.hypervisor.contract.vectors import DEBUG
from engine.model.exits import AnyExit, HltExit, InternalError, IoExit, MemoryExit, ProtectionExit
from engine.model.layout import PAGE_DIRECTORIES, code_base, stack_top
from engine.model.resolution import Complete, Drop, Retry
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import Guest, all_exits, emulates, facts

PAGE, VOID = Guest.PAGE, Guest.VOID
RESUME = 1 << 16
ONES = (1 << 64) - 1


def test_14_a_retry_that_is_not_of_the_first_exit(kvm: Guest, sim: Guest) -> None:
    sizes: list[list[int]] = []
    for guest in (kvm, sim):
        guest.load("mov rcx, [rbx]\nhlt", rbx=VOID + 0xFFD)
        exits = all_exits(guest, Complete(), Retry())
        sizes.append([exit.size for exit in exits if isinstance(exit, MemoryExit)])
    assert sizes == [[3, 5, 5] if emulates(kvm) else sizes[0], [3, 5, 3, 5]]


def test_15_the_resume_flag_within_a_repetition(kvm: Guest, sim: Guest) -> None:
    seen: list[int] = []
    for guest in (kvm, sim):
        guest.load("mov ecx, 3\nrep stosb\nhlt", rdi=VOID)
        guest.vcpu.resolve(guest.vcpu.run(), Drop())
        guest.vcpu.settle()
        seen.append(guest.vcpu.registers().rflags & RESUME)
    assert seen[1] == 0
    assert not emulates(kvm) or seen[0] == RESUME


def test_4_what_is_stored_from_a_page_that_must_not_be_executed(kvm: Guest, sim: Guest) -> None:
    told: list[list[bytes | None]] = []
    for guest in (kvm, sim):
        guest.fence(Rights.NONE)
        guest.load("push rcx\njmp rdx", at=PAGE)
        guest.load("jmp rbx\nhlt", rbx=PAGE, rcx=5, rdx=code_base(0) + 2, rsp=PAGE + 0x800)
        exits = [exit for exit in guest.drive() if isinstance(exit, ProtectionExit)]
        told.append([exit.data for exit in exits if exit.access == "write"])
    five = (5).to_bytes(8, "little")
    assert told == [[None if emulates(kvm) else five], [five]]


def test_16_a_locked_store_that_is_dropped(kvm: Guest, sim: Guest) -> None:
    for guest in (kvm, sim):
        guest.fence(Rights.RX)
        guest.load("xchg [rbx], rdx\nhlt", rbx=PAGE, rdx=7)
        all_exits(guest, Drop())
        assert guest.word() == 0x1111111111111111
    assert kvm.vcpu.registers().rdx == (7 if emulates(kvm) else 0x1111111111111111)
    assert sim.vcpu.registers().rdx == 0x1111111111111111


def test_17_what_unicorn_computes_otherwise(kvm: Guest, sim: Guest) -> None:
    def found(guest: Guest, assembly: str) -> tuple[int, int, int]:
        guest.memory.write(PAGE, b"\xff" * 8)
        guest.load(f"{assembly}\nhlt", rbx=PAGE, rax=ONES)
        all_exits(guest)
        registers = guest.vcpu.registers()
        return registers.rflags & 0x80, registers.rax, guest.word()

    neg, exchange = "lock neg qword ptr [rbx]", "cmpxchg [rbx], ecx"
    assert found(kvm, neg) == (0, ONES, 1)
    assert found(sim, neg) == (0x80, ONES, 1)
    assert found(sim, exchange)[1] == 0xFFFFFFFF


def test_17_the_carry_that_a_rotation_takes_over_a_fence(kvm: Guest, sim: Guest) -> None:
    for guest, rotated in ((kvm, 0x22222223), (sim, 0x22222222)):
        guest.fence(Rights.RX)
        guest.load("cmp rax, rbx\nrcl dword ptr [rdi], 1\nhlt", rax=0x7F, rbx=0x500000, rdi=PAGE)
        all_exits(guest)
        assert guest.word() & 0xFFFFFFFF == rotated


def test_17_the_flags_behind_a_push_of_them(kvm: Guest, sim: Guest) -> None:
    parity, adjust = 0x4, 0x10
    for guest, flags in ((kvm, parity), (sim, parity | adjust)):
        guest.load("add rax, rbx\npushfq\nhlt", rax=0x8000_0000, rbx=0)
        all_exits(guest)
        assert guest.vcpu.registers().rflags & 0x8D5 == flags
        assert guest.word(stack_top(0) - 8) & 0x8D5 == parity


def test_18_the_order_of_two_loads(kvm: Guest, sim: Guest) -> None:
    for guest, order in ((kvm, [0, 8]), (sim, [8, 0])):
        guest.load("cmpsb\nhlt", rsi=VOID, rdi=VOID + 8)
        assert [facts(exit)[2] - VOID for exit in guest.drive()] == order


def test_19_masks_on_page_tables(kvm: Guest, sim: Guest) -> None:
    for guest in (kvm, sim):
        guest.fence(Rights.NONE, PAGE_DIRECTORIES)
        guest.load("mov rax, cr3\nmov cr3, rax\nmov rcx, [rbx]\nhlt", rbx=PAGE)
    assert not isinstance(kvm.vcpu.run(), HltExit)
    assert isinstance(sim.vcpu.run(), HltExit)


@pytest.mark.parametrize(
    "instruction", ["int 0x30", "rdtscp", "xor ecx, ecx\nxgetbv", "verr ax", "fild qword ptr [rbx]"]
)
def test_20_what_an_emulating_kernel_cannot_do(kvm: Guest, sim: Guest, instruction: str) -> None:
    for guest in (kvm, sim):
        guest.fence(Rights.NONE)
        guest.load(f"{instruction}\nhlt", rbx=PAGE)
    assert isinstance(all_exits(kvm)[-1], InternalError) or not emulates(kvm)
    assert not isinstance(all_exits(sim)[-1], InternalError)


def test_21_repeated_input(kvm: Guest, sim: Guest) -> None:
    for guest, count in ((kvm, 1), (sim, 3)):
        guest.load("mov edx, 0x10\nmov ecx, 3\nrep insb\nhlt", rdi=PAGE)
        assert len([exit for exit in guest.drive() if isinstance(exit, IoExit)]) == count
        assert guest.vcpu.registers().rdi == PAGE + 3


def test_22_flushing_a_line_that_may_not_be_read(kvm: Guest, sim: Guest) -> None:
    found: list[list[AnyExit]] = []
    for guest in (kvm, sim):
        guest.fence(Rights.NONE)
        guest.load("clflush [rbx]\nhlt", rbx=PAGE)
        found.append([exit for exit in all_exits(guest) if isinstance(exit, ProtectionExit)])
    assert found[1] == []
    assert not emulates(kvm) or [facts(exit)[1] for exit in found[0]] == ["read"]


def test_23_a_guest_that_steps_itself_over_a_store_that_is_completed(kvm: Guest, sim: Guest) -> None:
    traps: list[int] = []
    for guest in (kvm, sim):
        handle(guest, {DEBUG: "mov r13, [rsp]\nand dword ptr [rsp+0x10], 0xfffffeff\niretq"})
        guest.fence(Rights.RX)
        guest.load("pushfq\nor dword ptr [rsp], 0x100\npopfq\nmov [rbx], rax\nnop\nhlt", rbx=PAGE)
        assert len(guest.drive()) == 1
        traps.append(guest.vcpu.registers().r13 - code_base(0))
    assert traps == [13 if emulates(kvm) else 12, 12]

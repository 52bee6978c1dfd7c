"""What only the simulator promises: exact budgets, counts and replays; and the corners of executing one instruction."""

import hashlib

import pytest

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.sim.partition import SimHypervisor
from engine.model.address import PAGE_SIZE, PageRange
from engine.model.exits import (
    AnyExit,
    HltExit,
    InternalError,
    Interrupted,
    IoExit,
    ProtectionExit,
    ShutdownExit,
    VoidExit,
)
from engine.model.layout import PAGE_DIRECTORIES, PML4, code_base
from engine.model.memslot import Memslot
from engine.model.registers import Registers
from engine.model.resolution import Complete, Drop, Retry
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import MIB, Guest, facts

PAGE, DATA = Guest.PAGE, Guest.DATA
COUNTING = "again: inc rbx\nmov [rsi], rbx\njmp again"


@pytest.mark.parametrize("budget", [1, 2, 3, 100, 9_999, 10_000, 10_001, 25_000])
def test_a_budget_is_exact(sim: Guest, budget: int) -> None:
    sim.load(COUNTING, rsi=DATA)
    assert isinstance(sim.vcpu.run(budget), Interrupted)
    assert sim.vcpu.instructions == budget
    assert sim.vcpu.registers().rbx == (budget + 2) // 3


def test_many_small_budgets_are_one_large_one(sim: Guest) -> None:
    sim.load(COUNTING, rsi=DATA)
    for _ in range(300):
        sim.vcpu.run(7)
    assert (sim.vcpu.instructions, sim.vcpu.registers().rbx) == (2100, 700)


def test_no_budget_no_step(sim: Guest) -> None:
    sim.load(COUNTING, rsi=DATA)
    assert isinstance(sim.vcpu.run(0), Interrupted)
    assert sim.vcpu.registers().rip == code_base(0)


def test_instructions_before_and_with_an_exit_are_counted(sim: Guest) -> None:
    sim.fence(Rights.R)
    sim.load("nop\nnop\nmov [rbx], rax\nnop\nout 0x10, al\nin al, 0x10\nnop\nhlt", rbx=PAGE)
    counts: list[int | None] = []

    def answer(_: AnyExit) -> Complete:
        counts.append(sim.vcpu.instructions)
        return Complete()

    sim.drive(answer)
    assert counts == [2, 4, 5]
    assert sim.vcpu.instructions == 8


def test_a_retried_instruction_is_counted_when_it_happens(sim: Guest) -> None:
    sim.fence(Rights.R)
    sim.load("inc qword ptr [rbx]\nhlt", rbx=PAGE)
    answers = iter([Retry(), Retry(), Drop()])
    sim.drive(lambda _: next(answers))
    assert sim.vcpu.instructions == 2


def test_a_budget_of_one_finishes_a_store_into_the_next_instruction(sim: Guest) -> None:
    sim.load("mov byte ptr [rbx+6], 5\nadd eax, 1\nhlt", rbx=code_base(0))
    exits = [sim.vcpu.run(1) for _ in range(3)]
    assert isinstance(exits[-1], HltExit)
    assert (sim.vcpu.registers().rax, sim.vcpu.instructions) == (5, 3)


def test_two_runs_are_byte_for_byte_the_same() -> None:
    assert _fingerprint() == _fingerprint()


def _fingerprint() -> tuple[str, list[AnyExit], int | None]:
    guest = Guest(SimHypervisor())
    guest.fence(Rights.R)
    guest.load(
        "again: rdtsc\nadd rbx, rax\nmov [rsi], rbx\nadd rsi, 8\nlock inc qword ptr [rdi]\njmp again",
        rsi=DATA,
        rdi=PAGE,
    )
    exits: list[AnyExit] = []
    for budget in (1000, 37, 5000):
        exit = guest.vcpu.run(budget)
        guest.vcpu.resolve(exit, Complete())
        exits.append(exit)
    digest = hashlib.sha256(guest.vm.ram()).hexdigest()
    count = guest.vcpu.instructions
    guest.vm.close()
    return digest, exits, count


def test_locked_increments_of_two_vcpus_all_count(sim: Guest) -> None:
    sim.vcpus.append(sim.vm.create_vcpu(1, PML4))
    for vcpu in (0, 1):
        sim.load("again: lock inc qword ptr [rbx]\njmp again", at=code_base(vcpu), vcpu=vcpu, rbx=DATA)
    for turn in range(200):
        sim.vcpus[turn % 2].run(101)
    assert sim.word(DATA) == 2 * 100 * 101 // 2


def test_a_locked_increment_waiting_for_its_answer_loses_nothing(sim: Guest) -> None:
    sim.fence(Rights.R)
    sim.load("lock inc qword ptr [rbx]\nhlt", rbx=PAGE)
    exit = sim.vcpu.run()
    sim.memory.write(PAGE, (1000).to_bytes(8, "little"))
    sim.vcpu.resolve(exit, Complete())
    assert sim.word() == 1001


def test_code_written_by_another_vcpu_is_seen(sim: Guest) -> None:
    sim.vcpus.append(sim.vm.create_vcpu(1, PML4))
    target = code_base(0)
    sim.load("again: mov ecx, 0x11\njmp again")
    sim.load("again: inc byte ptr [rbx+1]\njmp again", at=code_base(1), vcpu=1, rbx=target)
    for round in range(1, 6):
        sim.vcpus[0].run(10)
        assert sim.vcpus[0].registers().rcx == 0x11 + round - 1
        sim.vcpus[1].run(2)


def test_code_patched_under_a_fence_is_seen_by_the_writer(sim: Guest) -> None:
    sim.load("ret", at=PAGE)
    sim.fence(Rights.RX)
    sim.load("call rbx\nmov word ptr [rbx], 0xc1ff\nmov byte ptr [rbx+2], 0xc3\ncall rbx\nhlt", rbx=PAGE)
    assert len(sim.drive()) == 2
    assert sim.vcpu.registers().rcx == 1


def test_a_block_may_end_right_before_a_page_that_must_not_be_fetched(sim: Guest) -> None:
    sim.fence(Rights.RW, PAGE + PAGE_SIZE)
    sim.load("inc rcx\nmov rdx, rax\njmp rsi\n", at=PAGE + PAGE_SIZE - 8, rip=PAGE + PAGE_SIZE - 8, rsi=code_base(0))
    sim.memory.write(code_base(0), b"\xf4")
    assert sim.drive() == []
    assert sim.vcpu.registers().rcx == 1


def test_a_budget_may_end_right_before_a_fetch_that_is_denied(sim: Guest) -> None:
    sim.fence(Rights.RW)
    sim.load("nop\njmp rbx", rbx=PAGE)
    assert isinstance(sim.vcpu.run(2), Interrupted)
    assert sim.vcpu.registers().rip == PAGE
    exit = sim.vcpu.run(1)
    assert isinstance(exit, ProtectionExit)
    assert sim.vcpu.instructions == 2


def test_code_patched_while_its_fetch_waits_is_executed_as_patched(sim: Guest) -> None:
    sim.load("inc rcx\nhlt", at=PAGE, rip=PAGE)
    sim.drive()
    sim.fence(Rights.RW)
    sim.vcpu.set_registers(Registers(rip=PAGE))
    exit = sim.vcpu.run()
    sim.memory.write(PAGE, b"\x48\xff\xc9")
    sim.vcpu.resolve(exit, Complete())
    assert sim.vcpu.registers().rcx == (1 << 64) - 1


def test_an_instruction_that_runs_into_a_fenced_page_exits_where_it_starts(sim: Guest) -> None:
    sim.fence(Rights.RW, PAGE + PAGE_SIZE)
    start = PAGE + PAGE_SIZE - 5
    sim.load("inc rcx\nmov rdx, rax\nhlt", at=start, rip=start, rax=7)
    exits = sim.drive()
    assert [facts(exit)[1:] for exit in exits] == [
        ("execute", PAGE + PAGE_SIZE, 0),
        ("execute", PAGE + PAGE_SIZE + 1, 0),
    ]
    assert [exit.rip for exit in exits] == [start + 3, start + 6]
    assert (sim.vcpu.registers().rcx, sim.vcpu.registers().rdx) == (1, 7)


def test_an_instruction_that_runs_into_the_void_is_the_end(sim: Guest) -> None:
    start = Guest.VOID - 5
    sim.load("inc rcx", at=start, rip=start)
    sim.memory.write(Guest.VOID - 2, b"\x48\x89")
    exit = sim.vcpu.run()
    assert isinstance(exit, InternalError)
    assert (exit.rip, exit.facts["gpa"]) == (start + 3, Guest.VOID)
    assert sim.vcpu.registers().rcx == 1
    assert sim.vcpu.run() == exit


def test_string_input_to_a_fenced_page(sim: Guest) -> None:
    sim.fence(Rights.R)
    sim.load("insb\nhlt", rdi=PAGE, rdx=0x33)

    def answer(exit: AnyExit) -> Complete:
        return Complete(b"\x5a" if isinstance(exit, IoExit) else None)

    exits = sim.drive(answer)
    assert [type(exit) for exit in exits] == [IoExit, ProtectionExit]
    assert sim.memory.read(PAGE, 2) == b"\x5a\x11"
    assert sim.vcpu.registers().rdi == PAGE + 1


def test_string_output_from_a_fenced_page(sim: Guest) -> None:
    sim.fence(Rights.NONE)
    sim.load("outsb\nhlt", rsi=PAGE, rdx=0x33)
    exits = sim.drive()
    assert [type(exit) for exit in exits] == [ProtectionExit, IoExit]
    assert isinstance(exits[1], IoExit)
    assert exits[1].data == b"\x11"


def test_sixteen_bytes_are_two_exits(sim: Guest) -> None:
    sim.fence(Rights.R)
    sim.load("movups [rbx], xmm0\nhlt", rbx=PAGE)
    assert [facts(exit)[1:] for exit in sim.drive()] == [("write", PAGE, 8), ("write", PAGE + 8, 8)]


def test_a_slot_that_goes_while_its_exit_waits_is_void(sim: Guest) -> None:
    sim.fence(Rights.R)
    sim.load("mov [rbx], rax\nhlt", rbx=PAGE)
    exit = sim.vcpu.run()
    sim.vm.set_memory_region(Memslot(1, DATA, 0, 2 * MIB))
    sim.vcpu.resolve(exit, Complete())
    assert isinstance(sim.vcpu.run(), VoidExit)


def test_an_unanswered_exit_must_be_answered(sim: Guest) -> None:
    sim.fence(Rights.R)
    sim.load("mov [rbx], rax\nhlt", rbx=PAGE)
    exit = sim.vcpu.run()
    assert isinstance(exit, ProtectionExit)
    with pytest.raises(HypervisorError):
        sim.vcpu.run()


def test_a_software_interrupt_without_an_idt_is_a_triple_fault(sim: Guest) -> None:
    sim.load("int3")
    assert isinstance(sim.vcpu.run(), ShutdownExit)


def test_a_guest_that_edits_its_page_tables_is_obeyed(sim: Guest) -> None:
    entry = PAGE_DIRECTORIES + 8 * (Guest.VOID >> 21)
    sim.load(
        "mov rcx, [rbx]\nmov [rsi], rdx\ninvlpg [rbx]\nmov rax, [rbx]\nhlt", rbx=Guest.VOID, rsi=entry, rdx=DATA | 0xE3
    )
    sim.memory.write(DATA, b"\x55" * 8)
    exits = sim.drive(lambda _: Drop())
    assert [type(exit) for exit in exits] == [VoidExit]
    assert sim.vcpu.registers().rax == 0x5555555555555555


def test_a_walk_sets_accessed_and_dirty_where_they_are_missing(sim: Guest) -> None:
    entry = PAGE_DIRECTORIES + 8 * (DATA >> 21)
    sim.memory.write(entry, (DATA | 0x83).to_bytes(8, "little"))
    sim.load("mov rcx, [rbx]\nhlt", rbx=DATA)
    sim.drive()
    assert sim.word(entry) == DATA | 0xA3
    sim.load("mov [rbx], rcx\nhlt", rbx=DATA)
    sim.drive()
    assert sim.word(entry) == DATA | 0xE3


def test_scattered_stores_over_four_gibibytes_are_all_logged() -> None:
    vm = SimHypervisor().create_vm(4 << 30)
    vm.set_memory_region(Memslot(0, 0, 4 << 30, 0, 1))
    vm.set_mask(0, PageRange(0x300, 1), Rights.R)
    vm.memory().write((4 << 30) - 8, b"the end.")
    log = vm.get_dirty_log(0)
    assert len(log) == (4 << 30 >> 12) // 8
    assert log[-1] == 0x80
    assert sum(byte.bit_count() for byte in log) == 1
    vm.close()

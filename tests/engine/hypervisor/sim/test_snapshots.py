"""A machine that goes back is the machine that was there, whatever has happened since."""

import errno
from contextlib import closing

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.contract.extensions import Snapshot, Snapshots
from engine.hypervisor.sim.partition import SimHypervisor
from engine.hypervisor.sim.snapshots import MachineState
from engine.model.address import PAGE_SHIFT, PAGE_SIZE
from engine.model.cpuid import CpuidLeaf
from engine.model.exits import AnyExit, HltExit, Interrupted, IoExit, MsrExit, ProtectionExit, ShutdownExit
from engine.model.layout import PAGE_DIRECTORIES, code_base
from engine.model.resolution import Complete, Drop, Inject, Retry
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import Guest
from tests.engine.hypervisor.sim.acting import Action, Machine, Seen

PAGE, DATA = Guest.PAGE, Guest.DATA
page, vcpu = st.integers(0, 31), st.integers(0, 1)
run = st.tuples(st.just("run"), vcpu, st.integers(1, 200), st.integers(0, 2))
call: st.SearchStrategy[Action] = st.one_of(
    st.tuples(st.just("write"), page, st.integers(0, 9)),
    st.tuples(st.just("patch"), vcpu),
    st.tuples(st.just("mask"), page, st.integers(1, 12), st.integers(0, 4)),
    st.tuples(st.just("move"), st.integers(0, 2), st.integers(0, 1)),
    st.tuples(st.just("delete")),
    st.tuples(st.just("harvest")),
    st.tuples(st.just("clear"), st.integers(0, 8)),
    st.tuples(st.just("manual"), st.sampled_from([0, 1, 3])),
    st.tuples(st.just("drain"), vcpu),
    st.tuples(st.just("reset")),
    st.tuples(st.just("enter"), vcpu, st.integers(0, 1)),
)
turn: st.SearchStrategy[Action] = st.one_of(
    st.tuples(st.just("take")), st.tuples(st.just("go"), st.integers(0, 1)), st.tuples(st.just("go"), st.integers(0, 9))
)
rounds = st.lists(st.tuples(turn, run, call), min_size=2, max_size=12)


class Kept(msgspec.Struct):
    """A snapshot, what was done up to it, what waits, and what was seen on the way."""

    snapshot: Snapshot
    done: list[Action]
    waiting: dict[int, AnyExit]
    seen: list[Seen]


def _walk(machine: Machine, steps: list[Action]) -> tuple[list[Action], list[Seen]]:
    """Takes every step; what was done in the end and not taken back, and what was seen of it."""
    snapshots = machine.vm.extension(Snapshots)
    kept, done, seen = list[Kept](), list[Action](), list[Seen]()
    for step in steps:
        if step[0] == "take":
            kept.append(Kept(snapshots.take(), done.copy(), machine.waiting.copy(), seen.copy()))
        elif step[0] != "go":
            done.append(step)
            seen.append(machine.act(step))
        elif kept:
            there = kept[int(step[1]) % len(kept)]
            snapshots.restore(there.snapshot)
            done, machine.waiting, seen = there.done.copy(), there.waiting.copy(), there.seen.copy()
    return done, seen


@given(st.sampled_from([0, 4096]), rounds)
@settings(max_examples=60, deadline=None)
def test_any_way_through_snapshots_ends_where_the_straight_way_does(
    ring: int, rounds: list[tuple[Action, ...]]
) -> None:
    """The straight way is another machine's, which does only what was not taken back."""
    winding, straight = Machine(ring), Machine(ring)
    with closing(winding.vm), closing(straight.vm):
        done, seen = _walk(winding, [("take",), *(step for steps in rounds for step in steps)])
        assert seen == [straight.act(action) for action in done]
        assert list(winding.all()) == list(straight.all())


@pytest.mark.parametrize("answer", [Complete(), Drop(), Retry()])
def test_an_exit_that_waits_waits_again_once_gone_back_to(sim: Guest, answer: Complete | Drop | Retry) -> None:
    sim.fence(Rights.R)
    sim.load("lock inc qword ptr [rbx]\nhlt", rbx=PAGE)
    snapshots = sim.vm.extension(Snapshots)
    exit = sim.vcpu.run()
    assert isinstance(exit, ProtectionExit)
    waiting = snapshots.take()
    for _ in range(3):
        sim.vcpu.resolve(exit, answer)
        assert sim.word() == 0x1111111111111111 + isinstance(answer, Complete)
        snapshots.restore(waiting)
        assert sim.word() == 0x1111111111111111
    with pytest.raises(HypervisorError) as refused:
        sim.vcpu.run()
    assert refused.value.errno == errno.EBUSY


def test_an_instruction_half_answered_goes_on_from_its_half(sim: Guest) -> None:
    """`insb`: port, then store."""
    sim.fence(Rights.R)
    sim.load("insb\nhlt", rdi=PAGE, rdx=0x33)
    snapshots = sim.vm.extension(Snapshots)
    port = sim.vcpu.run()
    assert isinstance(port, IoExit)
    sim.vcpu.resolve(port, Complete(b"\x5a"))
    store = sim.vcpu.run()
    half = snapshots.take()
    for final, byte in ((Drop(), 0x11), (Complete(), 0x5A), (Drop(), 0x11)):
        snapshots.restore(half)
        sim.vcpu.resolve(store, final)
        assert sim.memory.read(PAGE, 1) == bytes([byte])
        assert sim.drive() == []


def test_an_injected_exception_waits_again_and_a_dead_vcpu_lives(sim: Guest) -> None:
    sim.load("hlt")
    snapshots = sim.vm.extension(Snapshots)
    alive = snapshots.take()
    sim.vcpu.inject(Inject(6))
    doomed = snapshots.take()
    for _ in range(2):
        assert isinstance(sim.vcpu.run(), ShutdownExit)
        snapshots.restore(alive)
        assert isinstance(sim.vcpu.run(), HltExit)
        snapshots.restore(doomed)


def test_a_vcpu_that_is_to_come_out_for_an_interrupt_is_again(sim: Guest) -> None:
    snapshots = sim.vm.extension(Snapshots)
    sim.load("sti\nnop\nhlt")
    assert not sim.vcpu.interrupt(0x40)
    waiting = snapshots.take()
    assert isinstance(sim.vcpu.run(), Interrupted)
    assert isinstance(sim.vcpu.run(), HltExit)
    snapshots.restore(waiting)
    assert isinstance(sim.vcpu.run(), Interrupted)


def test_what_was_turned_on_since_is_off_again(sim: Guest) -> None:
    """MSR exits, and another CPUID table, which only a vCPU that has not run takes."""
    snapshots = sim.vm.extension(Snapshots)
    new = snapshots.take()
    for function in (7, 8):
        sim.vm.enable_msr_exits()
        sim.vcpu.set_cpuid((CpuidLeaf(1, eax=function),))
        sim.load("mov eax, 1\ncpuid\nmov ecx, 0x12345\nrdmsr\nhlt")
        assert isinstance(sim.vcpu.run(), MsrExit)
        assert sim.vcpu.registers().rax == function
        snapshots.restore(new)
        sim.load("mov ecx, 0x12345\nrdmsr\nhlt")
        assert isinstance(sim.vcpu.run(), ShutdownExit)
        snapshots.restore(new)


def test_code_that_was_patched_is_executed_as_it_was(sim: Guest) -> None:
    sim.load("again: mov ecx, 0x11\njmp again")
    snapshots = sim.vm.extension(Snapshots)
    sim.vcpu.run(10)
    before = snapshots.take()
    sim.memory.write(code_base(0) + 1, b"\x22")
    sim.vcpu.run(10)
    assert sim.vcpu.registers().rcx == 0x22
    snapshots.restore(before)
    sim.vcpu.run(10)
    assert sim.vcpu.registers().rcx == 0x11


def test_a_mask_that_is_set_again_and_again_is_always_taken_back(sim: Guest) -> None:
    snapshots = sim.vm.extension(Snapshots)
    sim.fence(Rights.R)
    before = snapshots.take()
    for _ in range(3):
        sim.fence(Rights.NONE)
        snapshots.restore(before)
        assert sim.vm.mask(0, PAGE >> PAGE_SHIFT) == Rights.R


def test_accessed_and_dirty_bits_that_a_walk_set_are_taken_back(sim: Guest) -> None:
    entry = PAGE_DIRECTORIES + 8 * (DATA >> 21)
    sim.memory.write(entry, (DATA | 0x83).to_bytes(8, "little"))
    before = sim.vm.extension(Snapshots).take()
    sim.load("mov [rbx], rcx\nhlt", rbx=DATA)
    sim.drive()
    assert sim.word(entry) == DATA | 0xE3
    sim.vm.extension(Snapshots).restore(before)
    assert sim.word(entry) == DATA | 0x83


def test_a_snapshot_keeps_the_pages_that_are_written_after_it(sim: Guest) -> None:
    """Counted: a store to a page that is kept already, or by another vCPU, or by the VMM, keeps no more."""
    sim.load("again: mov [rdi], rax\nadd rdi, 4096\ndec rcx\njnz again\nhlt", rdi=DATA, rcx=5)
    first = sim.vm.extension(Snapshots).take()
    sim.drive()
    sim.memory.write(DATA + 4 * PAGE_SIZE, b"x" * (PAGE_SIZE + 1))
    assert isinstance(first, MachineState)
    assert len(first.past.pages) == 6
    second = sim.vm.extension(Snapshots).take()
    sim.memory.write(DATA, b"y")
    assert isinstance(second, MachineState)
    assert (len(first.past.pages), len(second.past.pages)) == (6, 1)


def test_of_a_page_that_stays_the_same_nothing_is_copied_twice() -> None:
    with closing(Machine().vm) as vm:
        snapshots, memory = vm.extension(Snapshots), vm.memory()
        first = snapshots.take()
        memory.write(DATA, b"one")
        second = snapshots.take()
        for target, byte in ((first, b"\0"), (second, b"o"), (first, b"\0"), (first, b"\0"), (second, b"o")):
            snapshots.restore(target)
            assert memory.read(DATA, 1) == byte


def test_another_machines_snapshot_is_refused(sim: Guest) -> None:
    with closing(Guest(SimHypervisor()).vm) as other:
        foreign = other.extension(Snapshots).take()
        with pytest.raises(HypervisorError) as refused:
            sim.vm.extension(Snapshots).restore(foreign)
    assert refused.value.errno == errno.EINVAL


def test_a_snapshot_with_other_vcpus_is_refused(sim: Guest) -> None:
    snapshots = sim.vm.extension(Snapshots)
    before = snapshots.take()
    sim.vm.create_vcpu(1, 0)
    with pytest.raises(HypervisorError) as refused:
        snapshots.restore(before)
    assert refused.value.errno == errno.EINVAL

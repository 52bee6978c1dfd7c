"""What the kernel's own dirty_log_test holds of dirty tracking, on every hypervisor and in each of the three ways.

A guest stores the number of the iteration, one page after another at random; the VMM harvests and looks:
- a page that is told holds this iteration's number or the one before;
- a page that is not told holds at most the one before;
- a page that has this iteration's number is told by the next.
One page an iteration may be told and not yet written: KVM tells it when it opens it, and the vCPU can be brought out
in between. Its store then comes later, and is told again.
"""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from engine.hypervisor.contract.protocols import Hypervisor, Vm
from engine.machine.harvest import harvest
from engine.model.address import PAGE_SHIFT
from engine.model.dirty import DirtyWay, ManualProtect
from engine.model.exits import Interrupted, RingFullExit
from tests.engine.hypervisor.guest import Guest

PAGES = 512
"""All of slot 1."""
ITERATION = 0x800
"""Where the guest reads the number, in the system area, which is not logged."""
LOOP = """again:
imul r8, r8, 1103515245
add r8, 12345
mov r9, r8
shr r9, 16
and r9, 511
shl r9, 12
mov rax, [rsi]
mov [rbx+r9], rax
jmp again"""
ITERATIONS = 25
PREPARE: dict[DirtyWay, Callable[[Vm], None]] = {
    "log": lambda vm: None,
    "clear": lambda vm: vm.enable_manual_protect(ManualProtect.ENABLE),
    "ring": lambda vm: vm.enable_dirty_ring(16 * 65536),
}


@pytest.fixture(params=["log", "clear", "ring"])
def writer(request: pytest.FixtureRequest, hypervisor: Hypervisor) -> Iterator[Guest]:
    made = Guest(hypervisor, prepare=PREPARE[request.param])
    assert made.vm.dirty_way == request.param
    made.memory.write(Guest.DATA, bytes(PAGES << PAGE_SHIFT))
    harvest(made.vm)
    made.load(LOOP, rbx=Guest.DATA, rsi=ITERATION, r8=1)
    yield made
    made.vm.close()


def _begin(guest: Guest, iteration: int) -> None:
    guest.memory.write(ITERATION, iteration.to_bytes(8, "little"))


def _told(guest: Guest) -> set[int]:
    found = harvest(guest.vm)
    assert not found.lost
    return {gfn - (Guest.DATA >> PAGE_SHIFT) for gfn in found.pages}


def _values(guest: Guest) -> list[int]:
    return [guest.word(Guest.DATA + (page << PAGE_SHIFT)) for page in range(PAGES)]


def _slice(guest: Guest, number: int) -> None:
    """Let the guest write a while: so many instructions, or where they are not counted, until a kick that found it in
    the guest: on a busy machine one can come too early."""
    before = guest.vcpu.registers().r8
    while guest.vcpu.registers().r8 == before:
        if guest.vm.capabilities.counts_instructions:
            exit = guest.vcpu.run(700 + 37 * number)
        else:
            timer = threading.Timer(0.004, guest.vcpu.kick)
            timer.start()
            exit = guest.vcpu.run()
            timer.join()
        assert isinstance(exit, Interrupted)


def test_what_is_told_is_what_was_written_while_the_vcpu_is_out(writer: Guest) -> None:
    before = _values(writer)
    for iteration in range(1, ITERATIONS):
        _begin(writer, iteration)
        _slice(writer, iteration)
        told, values = _told(writer), _values(writer)
        changed = {page for page in range(PAGES) if values[page] != before[page]}
        assert changed <= told
        assert len({page for page in told if values[page] not in (iteration, iteration - 1)}) <= 1
        assert all(values[page] <= iteration - 1 for page in range(PAGES) if page not in told)
        before = values
    assert max(before) > ITERATIONS // 2


def test_what_is_told_is_what_was_written_while_the_vcpu_writes_on(writer: Guest) -> None:
    if not writer.vm.capabilities.concurrent:
        pytest.skip("this hypervisor harvests between slices only")
    thread = threading.Thread(target=_run_until_kicked, args=(writer,))
    thread.start()
    try:
        _watch(writer)
    finally:
        writer.vcpu.kick()
        thread.join(10)
    assert not thread.is_alive()


def _run_until_kicked(guest: Guest) -> None:
    while isinstance(guest.vcpu.run(), RingFullExit):
        time.sleep(0.001)


def _watch(guest: Guest) -> None:
    due = set[int]()
    for iteration in range(1, ITERATIONS):
        _begin(guest, iteration)
        time.sleep(0.004)
        told, values = _told(guest), _values(guest)
        assert due <= told
        assert all(values[page] <= iteration for page in range(PAGES))
        assert len({page for page in told if values[page] not in (iteration, iteration - 1)}) <= 1
        due = {page for page in range(PAGES) if values[page] == iteration and page not in told}

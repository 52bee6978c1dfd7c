"""What the kernel's set_memory_region_test and memslot_modification_stress_test hold, on every hypervisor."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

from engine.model.address import PAGE_SIZE
from engine.model.exits import HltExit, InternalError, Interrupted, IoExit, ShutdownExit, VoidExit
from engine.model.memslot import Memslot, SlotFlags
from engine.model.resolution import Complete
from tests.engine.hypervisor.guest import MIB, Guest

DATA, VOID = Guest.DATA, Guest.VOID
LOG = int(SlotFlags.LOG)
READ = "again: mov rax, [rbx]\ncmp rax, rdx\njne told\njmp again\ntold: hlt"
WINDOW = 0xBEEF
"""What a load gets while its slot is away, as in the kernel's test."""


def _read(guest: Guest, gpa: int) -> int:
    """What the guest loads there."""
    guest.load("mov rax, [rbx]\nhlt", rbx=gpa)
    guest.drive(lambda _: Complete(WINDOW.to_bytes(8, "little")))
    return guest.vcpu.registers().rax


def test_moving_a_slot_in_use(guest: Guest) -> None:
    """set_memory_region_test, test_move_memory_region: ten moves there and back."""
    guest.memory.write(DATA, (1).to_bytes(8, "little"))
    for _ in range(10):
        guest.vm.set_memory_region(Memslot(1, VOID, 2 * MIB, 2 * MIB, LOG))
        assert (_read(guest, DATA), _read(guest, VOID)) == (WINDOW, 1)
        guest.vm.set_memory_region(Memslot(1, DATA, 2 * MIB, 2 * MIB, LOG))
        assert (_read(guest, DATA), _read(guest, VOID)) == (1, WINDOW)


def test_moving_a_slot_while_its_guest_reads(guest: Guest) -> None:
    """The same with the guest in a loop: it sees the value, or exits as in the void, and nothing else."""
    guest.memory.write(DATA, (1).to_bytes(8, "little"))
    guest.load(READ, rbx=DATA, rdx=1)
    for move in range(20):
        if guest.vm.capabilities.concurrent:
            _move_while_running(guest, move)
        else:
            guest.vm.set_memory_region(Memslot(1, (VOID, DATA)[move % 2], 2 * MIB, 2 * MIB, LOG))
            _go_on(guest, 20)
    guest.vm.set_memory_region(Memslot(1, DATA, 2 * MIB, 2 * MIB, LOG))


def _move_while_running(guest: Guest, move: int) -> None:
    place = (VOID, DATA)[move % 2]
    mover = threading.Timer(0.002, guest.vm.set_memory_region, (Memslot(1, place, 2 * MIB, 2 * MIB, LOG),))
    end = threading.Timer(0.005, guest.vcpu.kick)
    mover.start()
    end.start()
    _go_on(guest)
    mover.join()
    end.join()


def _go_on(guest: Guest, exits: int = 1 << 20) -> None:
    """Until interrupted; a load from the void is given the value, so that the guest stays in its loop."""
    for _ in range(exits):
        exit = guest.vcpu.run(200 if guest.vm.capabilities.counts_instructions else None)
        if isinstance(exit, Interrupted):
            return
        assert isinstance(exit, VoidExit)
        assert exit.gpa == DATA
        guest.vcpu.resolve(exit, Complete((1).to_bytes(8, "little")))


def test_deleting_a_slot_in_use(guest: Guest) -> None:
    """set_memory_region_test, test_delete_memory_region: loads leave the guest; made again, it has its memory's bytes,
    for deleting a slot takes nothing from what backs it."""
    guest.memory.write(DATA, (1).to_bytes(8, "little"))
    guest.vm.set_memory_region(Memslot(1, DATA, 0, 2 * MIB))
    assert _read(guest, DATA) == WINDOW
    guest.vm.set_memory_region(Memslot(1, DATA, 2 * MIB, 2 * MIB, LOG))
    assert _read(guest, DATA) == 1


def test_deleting_the_slot_that_the_guest_executes_from(guest: Guest) -> None:
    """The same, of slot 0: code, page tables and all. The kernel's test takes a shutdown or an internal error."""
    guest.load("again: jmp again")
    guest.vm.set_memory_region(Memslot(0, 0, 0, 0))
    assert isinstance(guest.vcpu.run(), ShutdownExit | InternalError)


def test_a_vcpu_without_any_slot(guest: Guest) -> None:
    """set_memory_region_test, test_zero_memory_regions."""
    for slot in (0, 1):
        guest.vm.set_memory_region(Memslot(slot, 0, 0, 0))
    assert isinstance(guest.vcpu.run(), ShutdownExit | InternalError)


PAGES = 200
STORES = "again: add [rbx], rdx\nadd rbx, 0x1000\nout 0x10, al\ndec rcx\njnz again\nhlt"


def _come_and_go(guest: Guest) -> None:
    guest.vm.set_memory_region(Memslot(7, VOID, PAGE_SIZE, 4 * MIB))
    guest.vm.set_memory_region(Memslot(7, VOID, 0, 4 * MIB))


def _ports(guest: Guest, between: Callable[[], None] = lambda: None) -> int:
    """How often the guest told, and nothing else, until it halts."""
    told = 0
    while not isinstance(exit := guest.vcpu.run(), HltExit):
        assert isinstance(exit, IoExit)
        told += 1
        guest.vcpu.resolve(exit, Complete())
        between()
    return told


def test_slots_that_come_and_go_are_not_noticed_by_vcpus(guest: Guest) -> None:
    """memslot_modification_stress_test: the guest sees no exits but its own, and every store happens once."""
    guest.memory.write(DATA, bytes(PAGES * PAGE_SIZE))
    guest.load(STORES, rbx=DATA, rcx=PAGES, rdx=1)
    if not guest.vm.capabilities.concurrent:
        assert _ports(guest, lambda: _come_and_go(guest)) == PAGES
    else:
        with _beside(lambda: _come_and_go(guest)) as rounds:
            assert _ports(guest) == PAGES
        assert rounds
    assert [guest.word(DATA + n * PAGE_SIZE) for n in range(PAGES)] == [1] * PAGES


@contextmanager
def _beside(act: Callable[[], None]) -> Generator[list[int]]:
    """Does it again and again in a thread of its own; a number for each time."""
    stop, rounds = threading.Event(), list[int]()

    def work() -> None:
        while not (stop.is_set() and rounds):
            act()
            rounds.append(len(rounds))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield rounds
    finally:
        stop.set()
        thread.join()

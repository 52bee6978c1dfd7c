"""The contract, one body for every hypervisor: dirty rings, their errnos (all measured), and what hosts lose."""

import errno
from collections.abc import Callable, Iterator

import pytest

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.contract.protocols import Hypervisor, Vm
from engine.hypervisor.sim.partition import SimHypervisor
from engine.machine.harvest import harvest
from engine.model.address import PAGE_SIZE
from engine.model.dirty import DirtyPage
from engine.model.exits import HltExit, ProtectionExit, RingFullExit
from engine.model.layout import PML4, code_base
from engine.model.memslot import Memslot, SlotFlags
from engine.model.page_set import PageSet
from engine.model.resolution import Complete
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import MIB, Guest

DATA, PAGE = Guest.DATA, Guest.PAGE
ENTRIES = 1024
"""The least that every processor allows."""
TOUCH = "again: mov [rbx], rax\nadd rbx, 0x1000\ndec rcx\njnz again\nhlt"
TELL = "again: mov [rbx], rax\nout 0x10, al\nadd rbx, 0x1000\ndec rcx\njnz again\nhlt"
"""The same with an exit after each store."""


@pytest.fixture
def ringed(hypervisor: Hypervisor) -> Iterator[Guest]:
    """A guest with rings of 1024 entries, and slot 2: 16 MiB, logged, at 16 MiB."""
    made = Guest(hypervisor, 64 * MIB, lambda vm: vm.enable_dirty_ring(16 * ENTRIES))
    made.vm.set_memory_region(Memslot(2, 16 * MIB, 16 * MIB, 16 * MIB, int(SlotFlags.LOG)))
    yield made
    made.vm.close()


def _harvest(guest: Guest, vcpu: int = 0) -> list[DirtyPage]:
    found = guest.vcpus[vcpu].harvest_dirty_ring()
    assert not found.lost
    assert guest.vm.reset_dirty_rings() == len(found.pages)
    return list(found.pages)


def _refusal(act: Callable[[], object]) -> int:
    try:
        act()
    except HypervisorError as error:
        return error.errno or -1
    return 0


def test_rings_come_once_and_before_vcpus(hypervisor: Hypervisor) -> None:
    vm = hypervisor.create_vm(2 * MIB)
    vm.enable_dirty_ring(65536)
    assert _refusal(lambda: vm.enable_dirty_ring(65536)) == errno.EINVAL
    other = hypervisor.create_vm(2 * MIB)
    other.create_vcpu(0, PML4)
    assert _refusal(lambda: other.enable_dirty_ring(65536)) == errno.EINVAL
    assert _refusal(lambda: other.enable_dirty_ring(1 << 21)) == errno.E2BIG
    for one in (vm, other):
        one.close()


@pytest.mark.parametrize("slot", [1, 0, 7, 32764])
def test_there_are_no_bitmaps_while_a_ring_is_on(ringed: Guest, slot: int) -> None:
    assert _refusal(lambda: ringed.vm.get_dirty_log(slot)) == errno.ENXIO
    assert _refusal(lambda: ringed.vm.clear_dirty_log(slot, 0, 64, bytes(8))) == errno.ENXIO


def test_manual_protection_and_a_ring_do_not_exclude_each_other(ringed: Guest) -> None:
    ringed.vm.enable_manual_protect(1)
    assert ringed.vm.dirty_way == "ring"
    ringed.load("mov [rbx], rax\nhlt", rbx=PAGE)
    ringed.drive()
    assert _harvest(ringed) == [DirtyPage(1, 16)]


def test_without_a_ring_there_is_nothing_to_harvest(guest: Guest) -> None:
    calls: list[Callable[[Vm], object]] = [lambda vm: vm.reset_dirty_rings(), lambda vm: vm.harvest_vmm_writes()]
    for call in [*calls, lambda vm: vm.vcpus[0].harvest_dirty_ring()]:
        assert _refusal(lambda call=call: call(guest.vm)) == errno.EINVAL


def test_entries_come_in_the_order_of_the_writes(ringed: Guest) -> None:
    ringed.load("mov [rbx+0x5000], rax\nmov [rdi], rax\nmov [rbx], rax\nhlt", rbx=DATA, rdi=16 * MIB + 0x9000)
    ringed.drive()
    assert _harvest(ringed) == [DirtyPage(1, 5), DirtyPage(2, 9), DirtyPage(1, 0)]
    assert _harvest(ringed) == []


def test_a_page_is_told_again_after_the_reset(ringed: Guest) -> None:
    """Before it, too, where the host emulates stores: an entry a store (measured on kvm_pvm)."""
    for _ in range(3):
        ringed.load("mov [rbx], rax\nmov [rbx], rcx\nhlt", rbx=DATA)
        ringed.drive()
        assert set(_harvest(ringed)) == {DirtyPage(1, 0)}


def test_the_simulator_tells_a_page_once_between_resets() -> None:
    ringed = Guest(SimHypervisor(), prepare=lambda vm: vm.enable_dirty_ring(4096))
    for told in ((DirtyPage(1, 0),), ()):
        ringed.load("mov [rbx], rax\nmov [rbx], rcx\nhlt", rbx=DATA)
        ringed.drive()
        assert ringed.vcpu.harvest_dirty_ring().pages == told
    assert (ringed.vm.reset_dirty_rings(), ringed.vm.reset_dirty_rings()) == (1, 0)
    ringed.vm.close()


def test_each_vtl_has_a_ring_of_its_own_and_a_vcpu_tells_them_all(ringed: Guest) -> None:
    ringed.load("mov [rbx], rax\nhlt", rbx=DATA)
    ringed.drive()
    ringed.vcpu.enter_vtl(1)
    ringed.load("mov [rbx+0x1000], rax\nhlt", rbx=DATA)
    ringed.drive()
    assert _harvest(ringed) == [DirtyPage(1, 0), DirtyPage(1, 1)]


def test_each_vcpu_has_a_ring_of_its_own(ringed: Guest) -> None:
    ringed.vcpus.append(ringed.vm.create_vcpu(1, PML4))
    for index in (0, 1):
        ringed.load("mov [rbx], rax\nhlt", at=code_base(index), vcpu=index, rbx=DATA + index * PAGE_SIZE)
        assert isinstance(ringed.vcpus[index].run(), HltExit)
    harvests = [vcpu.harvest_dirty_ring().pages for vcpu in ringed.vcpus]
    assert harvests == [(DirtyPage(1, 0),), (DirtyPage(1, 1),)]
    assert ringed.vm.reset_dirty_rings() == 2


def test_what_the_vmm_writes_is_in_no_ring(ringed: Guest) -> None:
    """Its own writes, and a fenced store that it completed."""
    ringed.memory.write(DATA + 0x1FFF, b"12")
    ringed.memory.write(0, b"not logged")
    ringed.fence(Rights.RX)
    ringed.load("mov [rbx], rax\nhlt", rbx=PAGE)
    ringed.drive()
    told = {*ringed.vcpu.harvest_dirty_ring().pages, *ringed.vm.harvest_vmm_writes()}
    assert told == {DirtyPage(1, 1), DirtyPage(1, 2), DirtyPage(1, 16)}
    assert ringed.vm.harvest_vmm_writes() == ()


def test_a_locked_store_that_is_completed_is_told(ringed: Guest) -> None:
    ringed.fence(Rights.RX)
    ringed.load("lock inc qword ptr [rbx]\nhlt", rbx=PAGE)
    ringed.drive()
    assert DirtyPage(1, 16) in {*ringed.vcpu.harvest_dirty_ring().pages, *ringed.vm.harvest_vmm_writes()}


def _write(guest: Guest, code: str, pages: int) -> tuple[set[int], list[int], bool]:
    """Have slot 2's first pages written: those told, the sizes of harvests of full rings, whether some were lost."""
    guest.load(code, rbx=16 * MIB, rcx=pages)
    told, full, lost = set[int](), list[int](), False
    while True:
        exit = guest.vcpu.run()
        if isinstance(exit, RingFullExit | HltExit):
            found = guest.vcpu.harvest_dirty_ring()
            guest.vm.reset_dirty_rings()
            told |= {page.offset for page in found.pages}
            lost = lost or found.lost
        if isinstance(exit, HltExit):
            return told, full, lost
        full += [len(found.pages)] if isinstance(exit, RingFullExit) else []
        guest.vcpu.resolve(exit, Complete())


def test_nothing_executes_while_the_ring_is_full(ringed: Guest) -> None:
    ringed.load(TELL, rbx=16 * MIB, rcx=1500)
    while not isinstance(exit := ringed.vcpu.run(), RingFullExit):
        ringed.vcpu.resolve(exit, Complete())
    before = ringed.vcpu.registers()
    assert exit.rip == before.rip
    assert isinstance(ringed.vcpu.run(), RingFullExit)
    assert ringed.vcpu.registers() == before


def test_a_guest_that_exits_fills_its_ring_to_the_soft_limit_and_loses_nothing(ringed: Guest) -> None:
    """64 entries are kept free, or 576 where the processor buffers 512 writes."""
    told, full, lost = _write(ringed, TELL, 1500)
    assert told == set(range(1500))
    assert not lost
    assert set(full) <= {ENTRIES - 64, ENTRIES - 576}
    assert full


def test_a_ring_that_fills_during_a_completed_instruction_repeats_nothing(ringed: Guest) -> None:
    """A locked store, completed when the ring that takes it is full already: told once, done once."""
    ringed.fence(Rights.RX)
    for _ in range(3):
        told, _, _ = _write(ringed, TELL, ENTRIES - 64)
        assert len(told) == ENTRIES - 64
        ringed.load("lock inc qword ptr [rbx]\nhlt", rbx=PAGE)
        assert [type(exit) for exit in ringed.drive()] == [ProtectionExit]
    assert ringed.word() == 0x1111111111111111 + 3


def test_a_guest_that_never_exits_loses_pages_only_where_the_host_says_so_and_then_it_is_told(ringed: Guest) -> None:
    """4,096 pages through 1,024 entries. After a loss every page is tracked again, whatever was told before."""
    capabilities, losses = ringed.vm.capabilities, 0
    for _ in range(10):
        told, _, lost = _write(ringed, TOUCH, 4096)
        assert lost or told == set(range(4096))
        losses += lost
    assert bool(losses) == bool(capabilities.ring_reason)
    told, _, lost = _write(ringed, TELL, 700)
    told, _, lost = _write(ringed, TELL, 700)
    assert told == set(range(700))
    assert not lost


def test_the_entries_of_a_slot_that_is_gone_do_no_harm(ringed: Guest) -> None:
    ringed.load("mov [rbx], rax\nmov [rdi], rax\nhlt", rbx=16 * MIB, rdi=DATA)
    ringed.drive()
    ringed.vm.set_memory_region(Memslot(2, 0, 0, 0))
    assert _harvest(ringed) == [DirtyPage(2, 0), DirtyPage(1, 0)]
    assert harvest(ringed.vm).pages == PageSet()

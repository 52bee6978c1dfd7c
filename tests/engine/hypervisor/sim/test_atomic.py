"""Memslots changed in one step, as proposed in September 2022, and the harvest that takes the slot along."""

import errno

import pytest

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.contract.extensions import AtomicHarvest, AtomicRegions
from engine.hypervisor.sim.partition import SimHypervisor
from engine.model.address import PAGE_SIZE, PageRange
from engine.model.dirty import ManualProtect
from engine.model.exits import VoidExit
from engine.model.memslot import Memslot, SlotFlags
from engine.model.page_set import PageSet
from tests.engine.hypervisor.guest import MIB, Guest

DATA, PAGE = Guest.DATA, Guest.PAGE
LOG = int(SlotFlags.LOG)
WHOLE = Memslot(1, DATA, 2 * MIB, 2 * MIB, LOG)
GONE = Memslot(1, DATA, 0, 2 * MIB)
HALVES = (Memslot(1, DATA, MIB, 2 * MIB, LOG), Memslot(2, DATA + MIB, MIB, 3 * MIB, LOG))


def regions(guest: Guest) -> AtomicRegions:
    return guest.vm.extension(AtomicRegions)


def test_a_slot_is_split_and_merged_without_a_window(sim: Guest) -> None:
    system = sim.vm.slots[0]
    regions(sim).set_memory_regions((GONE, *HALVES))
    assert sim.vm.slots == {0: system, 1: HALVES[0], 2: HALVES[1]}
    sim.load("mov [rbx], rax\nmov [rsi], rax\nhlt", rbx=PAGE, rsi=DATA + MIB, rax=5)
    assert sim.drive() == []
    assert (sim.word(PAGE), sim.word(DATA + MIB)) == (5, 5)
    regions(sim).set_memory_regions((GONE, Memslot(2, DATA + MIB, 0, 3 * MIB), WHOLE))
    assert sim.vm.slots == {0: system, 1: WHOLE}
    assert sim.word(DATA + MIB) == 5


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ((), errno.EINVAL),
        ((GONE, WHOLE) * 33, errno.E2BIG),
        ((GONE, HALVES[0], HALVES[1], Memslot(3, DATA, MIB, 4 * MIB)), errno.EEXIST),
        ((HALVES[1], GONE), errno.EEXIST),
        ((GONE, GONE), errno.EINVAL),
        ((GONE, WHOLE, Memslot(32764, 4 * MIB, MIB, 4 * MIB)), errno.EINVAL),
    ],
    ids=["none", "too many", "overlap", "wrong order", "deleted twice", "id too large"],
)
def test_when_one_is_refused_none_happens(sim: Guest, wanted: tuple[Memslot, ...], code: int) -> None:
    sim.memory.write(PAGE, b"dirty")
    before = sim.vm.slots
    with pytest.raises(HypervisorError) as refused:
        regions(sim).set_memory_regions(wanted)
    assert refused.value.errno == code
    assert sim.vm.slots == before
    assert sim.memory.read(PAGE, 5) == b"dirty"
    assert sim.dirty() == {PAGE}


def test_sixty_four_are_not_too_many(sim: Guest) -> None:
    regions(sim).set_memory_regions((GONE, WHOLE) * 32)
    assert sim.vm.slots[1] == WHOLE
    assert sim.dirty() == set()


def test_a_log_is_harvested_and_its_slot_gone(sim: Guest) -> None:
    sim.load("mov [rbx], rax\nmov [rbx+0x3000], rax\nhlt", rbx=DATA)
    sim.drive()
    bitmap = sim.vm.extension(AtomicHarvest).get_dirty_log_and_delete(1)
    assert PageSet.of_bitmap(bitmap) == PageSet([0, 3])
    assert list(sim.vm.slots) == [0]
    sim.load("mov [rbx], rax\nhlt", rbx=DATA)
    assert [type(exit) for exit in sim.drive()] == [VoidExit]


def test_a_log_that_is_cleared_by_hand_is_harvested_as_well(sim: Guest) -> None:
    sim.vm.enable_manual_protect(int(ManualProtect.ENABLE))
    sim.memory.write(DATA, b"dirty")
    bitmap = sim.vm.extension(AtomicHarvest).get_dirty_log_and_delete(1)
    assert PageSet.of_bitmap(bitmap) == PageSet([0])
    assert 1 not in sim.vm.slots


@pytest.mark.parametrize(("slot", "code"), [(0, errno.ENOENT), (7, errno.ENOENT), (32764, errno.EINVAL)])
def test_errnos_of_the_harvest(sim: Guest, slot: int, code: int) -> None:
    before = sim.vm.slots
    with pytest.raises(HypervisorError) as refused:
        sim.vm.extension(AtomicHarvest).get_dirty_log_and_delete(slot)
    assert refused.value.errno == code
    assert sim.vm.slots == before


def test_with_a_ring_there_is_no_log_and_the_slot_stays() -> None:
    guest = Guest(SimHypervisor(), prepare=lambda vm: vm.enable_dirty_ring(4096))
    with pytest.raises(HypervisorError) as refused:
        guest.vm.extension(AtomicHarvest).get_dirty_log_and_delete(1)
    assert refused.value.errno == errno.ENXIO
    assert PageRange.of(DATA, PAGE_SIZE).first in guest.vm.slots[1].pages
    guest.vm.close()

"""A harvest is the same set whichever way pages are told, and says so when a host has lost some."""

from collections.abc import Callable

import pytest

from engine.hypervisor.contract.protocols import Vm
from engine.hypervisor.sim.partition import SimHypervisor
from engine.machine.harvest import Harvested, harvest
from engine.machine.operations import dirty
from engine.model.address import PageRange
from engine.model.dirty import DirtyPage, ManualProtect, RingHarvest
from engine.model.memslot import Memslot, SlotFlags
from engine.model.page_set import PageSet

RAM = 8 << 20
LOG = int(SlotFlags.LOG)
SLOTS = [
    Memslot(0, 0, 2 << 20, 0),
    Memslot(1, 2 << 20, 1 << 20, 2 << 20, LOG),
    Memslot(2, 6 << 20, 0x64000, 4 << 20, LOG),
]
PREPARE: dict[str, Callable[[Vm], None]] = {
    "log": lambda vm: None,
    "clear": lambda vm: vm.enable_manual_protect(ManualProtect.ENABLE),
    "ring": lambda vm: vm.enable_dirty_ring(4096),
}


def made(way: str) -> Vm:
    vm = SimHypervisor().create_vm(RAM)
    PREPARE[way](vm)
    for slot in SLOTS:
        vm.set_memory_region(slot)
    return vm


@pytest.mark.parametrize("way", PREPARE)
def test_each_way_gives_the_same_set_once(way: str) -> None:
    vm = made(way)
    for gpa in (0x1000, 0x200000, 0x2FF000, 0x601000, 0x663000):
        vm.memory().write(gpa, b"x")
    assert harvest(vm) == Harvested(PageSet([0x200, 0x2FF, 0x601, 0x663]))
    assert harvest(vm) == Harvested(PageSet())
    vm.close()


class Lossy:
    """A vCPU whose host has overwritten ring entries."""

    def harvest_dirty_ring(self) -> RingHarvest:
        return RingHarvest((DirtyPage(1, 7),), lost=True)


def test_after_a_loss_every_logged_page_counts_and_the_event_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    vm = made("ring")
    monkeypatch.setattr(type(vm), "vcpus", (Lossy(),))
    found = harvest(vm)
    assert found.lost
    assert found.pages == PageSet.of_range(PageRange(0x200, 0x100)) | PageSet.of_range(PageRange(0x600, 0x64))
    [(_, fields)] = dirty(found, RAM)
    assert (fields["lost"], fields["count"]) == (True, 0x164)
    vm.close()


def test_entries_outside_what_is_logged_now_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    vm = made("ring")
    told = RingHarvest((DirtyPage(0, 1), DirtyPage(2, 0x64), DirtyPage(9, 0), DirtyPage(1, 3)))
    vcpu = type("Told", (), {"harvest_dirty_ring": lambda self: told})()
    monkeypatch.setattr(type(vm), "vcpus", (vcpu,))
    assert harvest(vm) == Harvested(PageSet([0x203]))
    vm.close()

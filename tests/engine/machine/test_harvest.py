"""A harvest is the same set whichever way pages are told, and says so when a host has lost some."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.hypervisor.contract.protocols import Vm
from engine.hypervisor.sim.partition import SimHypervisor
from engine.machine import build as build_module
from engine.machine.harvest import Harvested, harvest
from engine.machine.operations import dirty
from engine.model.address import PageRange
from engine.model.bitmap import unpack_bitmap
from engine.model.dirty import DirtyPage, ManualProtect, RingHarvest
from engine.model.events import DirtyHarvested, Event, ExitTaken
from engine.model.exits import RingFullExit
from engine.model.memslot import Memslot, SlotFlags
from engine.model.page_set import PageSet
from engine.session.host import Host
from engine.session.outcome import run_to_end

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
def test_a_scenario_dirties_the_same_pages_whichever_way_they_are_told(scenario, host: Host, way: str) -> None:
    """Two vCPUs, a fence whose stores the VMM completes, and a page that only one locked store reaches."""
    touch = {"guest": "touch", "params": {"base": 0x200000, "pages": 24, "rounds": 2}}
    locked = {"asm": "mov rdi, 0x240000\nlock inc qword ptr [rdi]\nhlt"}
    masks = [{"base": 0x205000, "pages": 2, "mask": "RX"}, {"base": 0x240000, "pages": 1, "mask": "RX"}]
    found = run_to_end(scenario(vcpus=[touch, locked], masks=masks, dirty=way), host)
    assert found.dirty == ["0x200000+24", "0x240000+1"]
    assert found.exits["protection"] == 5


def test_a_full_ring_is_emptied_and_the_vcpu_runs_on(scenario, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """1,500 pages through 1,024 entries. The guest exits at each store, so that no host loses any."""
    monkeypatch.setattr(build_module, "_track", lambda vm, way: vm.enable_dirty_ring(16384))
    stores = "mov rdi, 0x200000\nmov rcx, 1500\nagain: mov [rdi], rcx\nout 0x10, al\nadd rdi, 0x1000\nloop again\nhlt"
    slots = [{"slot": 0, "base": 0, "size": "2MiB"}, {"slot": 1, "base": 0x200000, "size": "6MiB", "flags": ["log"]}]
    events: list[tuple[type[Event], dict[str, Any]]] = []
    machine = build_module.build(
        host.hypervisor, scenario(ram="8MiB", slots=slots, vcpus=[{"asm": stores}]), lambda *event: events.append(event)
    )
    machine.set_phase("running")
    while not machine.is_over(0):
        machine.take(machine.vcpus[0], machine.vcpus[0].run())
    machine.record(dirty(harvest(machine.vm), 8 << 20))
    machine.vm.close()
    assert machine.states == ["halted"]
    assert any(kind is ExitTaken and isinstance(fields["exit"], RingFullExit) for kind, fields in events)
    harvests = [fields for kind, fields in events if kind is DirtyHarvested]
    told = [PageSet.of_bitmap(unpack_bitmap(fields["bitmap"], fields["packed"])) for fields in harvests]
    assert told[0] | told[-1] == PageSet.of_range(PageRange(0x200, 1500))
    assert not any(fields["lost"] for fields in harvests)


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

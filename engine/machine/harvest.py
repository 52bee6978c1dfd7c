"""Collecting dirty pages, by whichever way they are told, merged into one set over the guest."""

import errno
from collections import defaultdict

import msgspec

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.contract.protocols import Vm
from engine.model.dirty import DirtyPage
from engine.model.memslot import Memslot
from engine.model.page_set import PageSet


class Harvested(msgspec.Struct, frozen=True):
    """Pages written since the last harvest, by gfn."""

    pages: PageSet
    lost: bool = False
    """The host lost ring entries (RingHarvest.lost): `pages` are all logged ones, for any may have been written."""


def harvest(vm: Vm) -> Harvested:
    """Take it all, so that the next harvest tells only what is written from now on. Then read pages, not before."""
    if vm.dirty_way == "ring":
        return _rings(vm)
    found = PageSet()
    for slot in vm.slots.values():
        if slot.logged:
            found |= PageSet.of_bitmap(_log(vm, slot), slot.pages.first)
    return Harvested(found)


def _log(vm: Vm, slot: Memslot) -> bytes:
    try:
        bitmap = vm.get_dirty_log(slot.slot)
        if vm.dirty_way == "clear":
            vm.clear_dirty_log(slot.slot, 0, slot.pages.count, bitmap)
        return bitmap
    except HypervisorError as error:
        # Deleted between listing and reading: its bitmap went with it (docs/proposals.md, AtomicHarvest).
        if error.errno == errno.ENOENT:
            return b""
        raise


def _rings(vm: Vm) -> Harvested:
    """api.rst 8.29: harvest, then reset; whoever reads pages does so afterwards."""
    harvests = [vcpu.harvest_dirty_ring() for vcpu in vm.vcpus]
    written = [page for one in harvests for page in one.pages]
    vm.reset_dirty_rings()
    written += vm.harvest_vmm_writes()
    slots = {slot.slot: slot for slot in vm.slots.values() if slot.logged}
    if any(one.lost for one in harvests):
        return Harvested(_union([PageSet.of_range(slot.pages) for slot in slots.values()]), lost=True)
    return Harvested(_union(_by_slot(written, slots)))


def _by_slot(written: list[DirtyPage], slots: dict[int, Memslot]) -> list[PageSet]:
    """Entries of a slot that is gone, or logged no more, went with it, as a bitmap would have."""
    offsets: defaultdict[int, list[int]] = defaultdict(list)
    for page in written:
        if page.slot in slots and page.offset < slots[page.slot].pages.count:
            offsets[page.slot].append(page.offset)
    return [_pages(slots[slot], found) for slot, found in offsets.items()]


def _pages(slot: Memslot, offsets: list[int]) -> PageSet:
    bitmap = bytearray((slot.pages.count + 7) // 8)
    for offset in offsets:
        bitmap[offset >> 3] |= 1 << (offset & 7)
    return PageSet.of_bitmap(bitmap, slot.pages.first)


def _union(sets: list[PageSet]) -> PageSet:
    found = PageSet()
    for one in sets:
        found |= one
    return found

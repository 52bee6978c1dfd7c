"""Commands that change the vm, each carried out as a whole; what changed comes back as effects to be logged."""

import errno
from typing import Any

import msgspec

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.contract.protocols import Vm
from engine.machine.harvest import Harvested, harvest
from engine.model.address import PAGE_SHIFT, PageRange
from engine.model.bitmap import pack_bitmap
from engine.model.commands import AnyCommand, DeleteSlot, Harvest, MoveSlot, SetMask, SetSlot
from engine.model.events import DirtyHarvested, Event, MaskChanged, SlotChanged
from engine.model.memslot import Memslot
from engine.model.page_set import PageSet
from engine.model.rights import Rights

Effect = tuple[type[Event], dict[str, Any]]
"""An event still without seq and time."""


def carry_out(vm: Vm, command: AnyCommand, ram: int) -> list[Effect]:
    """Do it; [] for commands that do not concern the vm. HypervisorError, Unsupported as from the contract."""
    match command:
        case SetMask():
            pages = PageRange(command.base >> PAGE_SHIFT, command.pages)
            return [set_mask(vm, command.vtl, within_guest(pages, command.base, ram), Rights(command.rights))]
        case SetSlot():
            return set_slot(vm, command.slot, ram)
        case DeleteSlot():
            return set_slot(vm, msgspec.structs.replace(present(vm, command.slot), size=0), ram)
        case MoveSlot():
            return set_slot(vm, msgspec.structs.replace(present(vm, command.slot), base=command.base), ram)
        case Harvest():
            return dirty(harvest(vm), ram)
        case _:
            return []


def set_mask(vm: Vm, vtl: int, pages: PageRange, rights: Rights) -> Effect:
    before = tuple((run.first, run.count, int(had)) for run, had in vm.masks(vtl, pages))
    vm.set_mask(vtl, pages, rights)
    fields = {"vtl": vtl, "first": pages.first, "pages": pages.count, "rights": int(rights), "before": before}
    return MaskChanged, fields


def set_masks(vm: Vm, vtl: int, pages: PageSet, rights: Rights, setter: int) -> list[Effect]:
    """All of them or none; an event a run. `setter` as in MaskChanged."""
    runs = list(pages.runs())
    before = [tuple((run.first, run.count, int(had)) for run, had in vm.masks(vtl, pages)) for pages in runs]
    vm.set_mask(vtl, pages, rights)
    fields = {"vtl": vtl, "rights": int(rights), "setter": setter}
    return [
        (MaskChanged, fields | {"first": run.first, "pages": run.count, "before": had})
        for run, had in zip(runs, before, strict=True)
    ]


def set_slot(vm: Vm, slot: Memslot, ram: int) -> list[Effect]:
    before = vm.slots.get(slot.slot)
    if slot.size:
        _check_inside(slot, ram)
    vm.set_memory_region(slot)
    after = slot if slot.size else None
    return [] if before == after else [(SlotChanged, {"before": before, "after": after})]


def dirty(found: Harvested, ram: int) -> list[Effect]:
    pages = found.pages
    if not pages:
        return []
    bitmap, packed = pack_bitmap(pages.bitmap(ram >> PAGE_SHIFT))
    return [(DirtyHarvested, {"count": len(pages), "bitmap": bitmap, "packed": packed, "lost": found.lost})]


def present(vm: Vm, slot: int) -> Memslot:
    found = vm.slots.get(slot)
    if found is None:
        raise HypervisorError(errno.EINVAL, "KVM_SET_USER_MEMORY_REGION", "slot", slot, "no such slot")
    return found


def within_guest(pages: PageRange, base: int, ram: int) -> PageRange:
    """The same pages; EINVAL when base is not page aligned or the range is empty or leaves the guest."""
    if base % (1 << PAGE_SHIFT):
        raise HypervisorError(errno.EINVAL, "set_mask", "base", base, "must be a multiple of 0x1000")
    if pages.count < 1 or pages.base + pages.size > ram:
        raise HypervisorError(errno.EINVAL, "set_mask", "pages", pages.count, f"must lie within 0..{ram:#x}")
    return pages


def _check_inside(slot: Memslot, ram: int) -> None:
    # The lab's own rule, on top of KVM's: a slot shows on the map and is backed by the guest's RAM.
    for argument, start in (("base", slot.base), ("offset", slot.offset)):
        if start < 0 or start + slot.size > ram:
            raise HypervisorError(errno.EINVAL, "set_memory_region", argument, start, f"ends past {ram:#x}")

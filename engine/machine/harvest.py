"""Collecting dirty pages: every logged slot's bitmap, merged into one set over the guest."""

import errno

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.contract.protocols import Vm
from engine.model.page_set import PageSet


def harvest(vm: Vm) -> PageSet:
    """Pages written since the last harvest, by gfn; reading clears."""
    found = PageSet()
    for slot in vm.slots.values():
        if slot.logged:
            found |= PageSet.of_bitmap(_log(vm, slot.slot), slot.pages.first)
    return found


def _log(vm: Vm, slot: int) -> bytes:
    try:
        return vm.get_dirty_log(slot)
    except HypervisorError as error:
        # Deleted between listing and reading: its bitmap went with it (the race of hypervisor.md 0.1 #3).
        if error.errno == errno.ENOENT:
            return b""
        raise

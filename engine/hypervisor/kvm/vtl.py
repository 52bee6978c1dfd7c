"""One VTL of a guest: a KVM VM and, for each memslot, this VTL's own mapping of it with this VTL's mask."""

import numpy as np
from msgspec.structs import replace

from engine.abi.kvm import MEM_LOG_DIRTY_PAGES, UserspaceMemoryRegion
from engine.hypervisor.kvm.ioctl import NOTHING
from engine.hypervisor.kvm.masks import MaskTable
from engine.hypervisor.kvm.page_runs import page_runs
from engine.hypervisor.kvm.views import Ram, View, protections
from engine.hypervisor.kvm.vm_fd import VmFd
from engine.model.address import PageRange
from engine.model.memslot import Memslot
from engine.model.page_set import PageSet
from engine.model.rights import Rights


class Vtl:
    """`masks` is read here and owned by the vm; the highest VTL's stays empty. Guarded by the vm's lock.

    A `private` one is no VTL that a guest runs in, but a copy of its RAM to try instructions in.
    """

    def __init__(self, device: int, ram: Ram, private: bool = False) -> None:
        self.vm = VmFd(device)
        self.masks = MaskTable()
        self._ram, self._private = ram, private
        self._views: dict[int, View] = {}
        self._request = UserspaceMemoryRegion()

    def change(self, old: Memslot | None, new: Memslot) -> None:
        """Bring slot `new.slot` from `old` to `new` (size 0: none); on an error it is as it was."""
        if new.size == 0:
            self._delete(old, new)
        elif old is None:
            self._add(new)
        else:
            self._alter(old, new)

    def protect(self, slot: Memslot, pages: PageRange | PageSet) -> None:
        """Bring the mapping of those of `pages` that are in `slot` in line with the masks."""
        view, first = self._views[slot.slot], slot.pages.first
        if isinstance(pages, PageRange):
            inside = slot.pages.intersection(pages)
            view.protect(inside.first - first, self.masks.copy(inside))
            return
        starts, counts = page_runs(pages & PageSet.of_range(slot.pages))
        starts -= np.uint64(first)
        rights = np.frombuffer(self.masks.copy(slot.pages), np.uint8)[starts]
        view.protect_runs(starts, counts, protections(rights.tobytes()))

    def shut(self, slot: Memslot, pages: PageRange) -> None:
        """Whatever the masks say, no store to `pages` of `slot` goes through until protect() is called."""
        self._views[slot.slot].protect(pages.first - slot.pages.first, bytes([Rights.RX]) * pages.count)

    def rearm(self, slot: Memslot) -> None:
        """Write-protect the logged slot anew: dropping the flag and setting it again does that."""
        address = self._views[slot.slot].address
        self._region(replace(slot, flags=slot.flags & ~MEM_LOG_DIRTY_PAGES), address)
        self._region(slot, address)

    def address(self, slot: Memslot) -> int:
        """Where the first byte of a present slot is mapped."""
        return self._views[slot.slot].address

    def forget(self) -> None:
        """Of a private one: show RAM as it is again."""
        for view in self._views.values():
            view.forget()

    def close(self) -> None:
        self.vm.close()
        for view in self._views.values():
            view.close()
        self._views.clear()

    def _add(self, new: Memslot) -> None:
        view = View(self._ram, new.offset, new.size, self._private)
        try:
            if self.masks.touched:
                view.protect(0, self.masks.copy(new.pages))
            self._region(new, view.address)
        except BaseException:
            view.close()
            raise
        self._views[new.slot] = view

    def _delete(self, old: Memslot | None, new: Memslot) -> None:
        self._region(new, self._views[new.slot].address if old else 0)
        self._views.pop(new.slot).close()

    def _alter(self, old: Memslot, new: Memslot) -> None:
        view = self._views[old.slot]
        address = view.address + new.offset - old.offset
        if new.base == old.base or new.size != old.size or not self.masks.touched:
            self._region(new, address)
            return
        before, after = self.masks.copy(old.pages), self.masks.copy(new.pages)
        # Under running vCPUs the move is not one act with mprotect: keep both masks up while it happens, so that
        # nothing denied gets through. What is denied too much in between is completed unseen.
        view.protect(0, bytes(a & b for a, b in zip(before, after, strict=True)))
        try:
            self._region(new, address)
        except BaseException:
            view.protect(0, before)
            raise
        view.protect(0, after)

    def _region(self, slot: Memslot, address: int) -> None:
        request = self._request
        request.slot, request.flags = slot.slot, slot.flags
        request.guest_phys_addr, request.memory_size, request.userspace_addr = slot.base, slot.size, address
        self.vm.set_user_memory_region(request, NOTHING)

"""Guest-physical space as pure data: slots, rights per VTL, dirty logs. Knows KVM's errnos and no emulator."""

import errno

import msgspec

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.contract.masks import require_mask, require_vtl
from engine.hypervisor.region_rules import check_region
from engine.hypervisor.sim.dirty import DirtyLogs, DirtyState
from engine.hypervisor.sim.protections import Protections, State
from engine.hypervisor.slot_table import SlotState, SlotTable
from engine.model.address import PAGE_SHIFT, PAGE_SIZE, PageRange
from engine.model.memslot import Memslot, SlotFlags
from engine.model.page_set import PageSet
from engine.model.rights import Rights

MAX_SLOTS = 32764
"""KVM_USER_MEM_SLOTS on x86: 32,767 less the kernel's own three."""
READONLY = int(SlotFlags.READONLY)
"""As an int: the flag's own class takes half a microsecond to test, on every TLB miss."""


class SpaceState(msgspec.Struct, frozen=True):
    """What a space held at a moment, opaque."""

    slots: SlotState
    dirty: DirtyState
    protections: State
    ring_size: int
    msr_exits: bool


class Space:
    """`ram` bytes of backing, `vtls` VTLs. `generation` grows whenever a cached translation may have become wrong."""

    def __init__(self, ram: int, vtls: int) -> None:
        self.ram, self.vtls = ram, vtls
        self.slots = SlotTable()
        self.generation = self.layout = 0
        """`layout` grows when slots change, and with it `generation`."""
        self.msr_exits = False
        self.ring_size = 0
        """Bytes of each vCPU's dirty ring in each VTL; 0: bitmaps are on."""
        self.dirty = DirtyLogs()
        self.protections = Protections(vtls)
        self.allowed = self.protections.allowed
        """The method itself: it is asked at every TLB miss."""

    def set_memory_region(self, slot: Memslot) -> None:
        """As KVM_SET_USER_MEMORY_REGION; HypervisorError EINVAL or EEXIST, and nothing changes then."""
        check_region(self.slots, slot, self.ram, MAX_SLOTS)
        self.slots.put(slot)
        self.dirty.follow(slot)
        self.generation += 1
        self.layout += 1

    def set_mask(self, vtl: int, pages: PageRange | PageSet, rights: Rights) -> None:
        """Rights of `vtl`; they stay with the gfn. EINVAL as the contract says."""
        require_mask(vtl, self.vtls, pages, rights)
        self.protections.set_mask(vtl, pages, int(rights))
        self.generation += 1

    def set_wide(self, name: str, pages: PageRange | PageSet, rights: int) -> None:
        """What is left to every VTL of the vm: `permissions` or `attributes`. The pages must be in order."""
        self.protections.set_wide(name, pages, rights)
        self.generation += 1

    def mask(self, vtl: int, gfn: int) -> int:
        """Rights bits; RWX where none was set."""
        require_vtl("mask", vtl, self.vtls)
        return self.protections.masks[vtl].get(gfn)

    def masks(self, vtl: int, within: PageRange | None = None) -> list[tuple[PageRange, Rights]]:
        require_vtl("masks", vtl, self.vtls)
        return self.protections.masks[vtl].restricted(within)

    def slot_at(self, gfn: int) -> Memslot | None:
        """The slot that holds the page; None in the void."""
        return self.slots.at(gfn << PAGE_SHIFT)

    def offset(self, gpa: int) -> int | None:
        """Where in RAM the byte at `gpa` is; None in the void."""
        slot = self.slots.at(gpa)
        return None if slot is None else slot.offset + gpa - slot.base

    def spans(self, gpa: int, size: int) -> list[tuple[int, int]]:
        """(offset, bytes) by page of `size` bytes at `gpa`; EFAULT when any byte is in the void."""
        found: list[tuple[int, int]] = []
        while size > 0:
            count = min(size, PAGE_SIZE - gpa % PAGE_SIZE)
            offset = self.offset(gpa)
            if offset is None:
                raise HypervisorError(errno.EFAULT, "guest memory", "gpa", gpa, "in no slot")
            found.append((offset, count))
            gpa, size = gpa + count, size - count
        return found

    def mark_dirty(self, gfn: int) -> None:
        """The VMM wrote to the page."""
        slot = self.slot_at(gfn)
        if slot is not None:
            self.dirty.mark_outside(slot, gfn)

    def get_dirty_log(self, slot: int) -> bytes:
        """As KVM_GET_DIRTY_LOG: reads, and clears unless manual protection is on. ENXIO, EINVAL, ENOENT."""
        self._require_log("KVM_GET_DIRTY_LOG", slot)
        bitmap, cleared = self.dirty.take(slot)
        # Clean pages hold no write permission in any TLB anyway; only dirty ones must be asked for again.
        self.generation += cleared
        return bitmap

    def clear_dirty_log(self, slot: int, first: int, count: int, bitmap: bytes) -> None:
        """As KVM_CLEAR_DIRTY_LOG. ENXIO, EINVAL, ENOENT; EFAULT for a short bitmap."""
        call, whole = "KVM_CLEAR_DIRTY_LOG", (count + 63) // 64 * 8
        if self.dirty.way == "ring":
            self._require_log(call, slot)
        _require(first >= 0 and first % 64 == 0, call, "first_page", first, "must be a multiple of 64")
        self._require_log(call, slot)
        left = self.dirty.pages(slot) - first
        _require(0 <= count <= left, call, "num_pages", count, "the range leaves the slot")
        _require(
            count == left or count % 64 == 0, call, "num_pages", count, "must be a multiple of 64, or end the slot"
        )
        if len(bitmap) < whole:
            raise HypervisorError(errno.EFAULT, call, "bitmap", len(bitmap), f"{whole} bytes are needed")
        self.dirty.clear(slot, first, count, bitmap[:whole])
        self.generation += 1

    def enable_manual_protect(self, flags: int) -> None:
        """As KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2: 0, 1 or 3, else EINVAL. With rings on it is noted and does nothing."""
        _require(flags in (0, 1, 3), "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2", "flags", flags, "0, 1 or 3")
        if self.dirty.way != "ring":
            self.dirty.way, self.dirty.initially_set = ("clear" if flags else "log"), flags == 3

    def state(self) -> SpaceState:
        """For a snapshot. What has not changed since the last one is shared with it."""
        slots, dirty, protections = self.slots.state(), self.dirty.state(), self.protections.state()
        return SpaceState(slots, dirty, protections, self.ring_size, self.msr_exits)

    def restore(self, state: SpaceState) -> None:
        """Of this space, older or newer, as often as wanted."""
        self.layout += self.slots.restore(state.slots)
        self.dirty.restore(state.dirty)
        self.protections.restore(state.protections)
        self.ring_size, self.msr_exits = state.ring_size, state.msr_exits
        self.generation += 1

    def _require_log(self, call: str, slot: int) -> None:
        if self.dirty.way == "ring":
            raise HypervisorError(errno.ENXIO, call, "slot", slot, "a dirty ring is on: there are no bitmaps")
        _require(0 <= slot < MAX_SLOTS, call, "slot", slot, f"ids go from 0 to {MAX_SLOTS - 1}")
        if not self.dirty.logged(slot):
            raise HypervisorError(errno.ENOENT, call, "slot", slot, "no such slot, or it is not logged")


def _require(held: bool, call: str, argument: str, value: int, rule: str) -> None:
    if not held:
        raise HypervisorError(errno.EINVAL, call, argument, value, rule)

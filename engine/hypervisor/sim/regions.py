"""The errno rules of KVM_SET_USER_MEMORY_REGION (api.rst 4.35; every row was measured on a real kernel)."""

import errno

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.slot_table import SlotTable
from engine.model.address import PAGE_SIZE
from engine.model.memslot import Memslot, SlotFlags

MAX_SLOTS = 32764
"""KVM_USER_MEM_SLOTS on x86: 32,767 less the kernel's own three."""
GPA_LIMIT = 1 << 52
CALL = "KVM_SET_USER_MEMORY_REGION"
_MAX_PAGES = (1 << 31) - 1


def check_region(slots: SlotTable, new: Memslot, ram: int) -> None:
    """HypervisorError, in the kernel's order of checks, when `slots` may not be changed by `new`."""
    _check_shape(new, ram)
    old = slots.by_id.get(new.slot)
    if new.size == 0:
        _require(old is not None, "slot", new.slot, "no such slot to delete")
        return
    if old is not None:
        _check_change(old, new)
    other = slots.overlapping(new)
    if other is not None:
        raise HypervisorError(errno.EEXIST, CALL, "base", new.base, f"overlaps slot {other.slot}")


def _check_shape(new: Memslot, ram: int) -> None:
    known = int(SlotFlags.LOG | SlotFlags.READONLY)
    _require(new.flags & ~known == 0, "flags", new.flags, "unknown flag")
    _require(new.size >= 0 and new.size % PAGE_SIZE == 0, "size", new.size, "must be a multiple of the page size")
    _require(new.base >= 0 and new.base % PAGE_SIZE == 0, "base", new.base, "must be page aligned")
    _require(new.offset >= 0 and new.offset % PAGE_SIZE == 0, "offset", new.offset, "must be page aligned")
    _require(0 <= new.slot < MAX_SLOTS, "slot", new.slot, f"ids go from 0 to {MAX_SLOTS - 1}")
    _require(new.size >> 12 <= _MAX_PAGES, "size", new.size, "more than 2^31 - 1 pages")
    if new.size:
        _require(new.base + new.size <= GPA_LIMIT, "base", new.base, "ends above the guest-physical address width")
        _require(new.offset + new.size <= ram, "offset", new.offset, "ends beyond RAM")


def _check_change(old: Memslot, new: Memslot) -> None:
    _require(new.size == old.size, "size", new.size, "a slot cannot be resized")
    _require(new.offset == old.offset, "offset", new.offset, "a slot's backing cannot change")
    _require(not (new.flags ^ old.flags) & SlotFlags.READONLY, "flags", new.flags, "READONLY is set at creation only")


def _require(held: bool, argument: str, value: int, rule: str) -> None:
    if not held:
        raise HypervisorError(errno.EINVAL, CALL, argument, value, rule)

"""The errno rules of KVM_SET_USER_MEMORY_REGION (api.rst 4.35; every row was measured on a real kernel).

The simulator refuses by them. A kernel refuses by itself; they tell which argument it meant, and what rule that broke.
"""

import errno

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.slot_table import ADDRESS_SPACE_SHIFT, SlotTable
from engine.model.address import PAGE_SIZE
from engine.model.memslot import Memslot, SlotFlags

CALL = "KVM_SET_USER_MEMORY_REGION"
GPA_LIMIT = 1 << 52
_MAX_PAGES = (1 << 31) - 1
_KNOWN = int(SlotFlags.LOG | SlotFlags.READONLY)
"""As an integer: a flag's own complement has no unknown bits."""


def check_region(slots: SlotTable, new: Memslot, ram: int, max_slots: int) -> None:
    """HypervisorError EINVAL or EEXIST, in the kernel's order of checks, when `slots` may not be changed by `new`."""
    check_backing(new, ram)
    _check_shape(new, max_slots)
    old = slots.by_id.get(new.slot)
    if new.size == 0:
        _require(old is not None, "slot", new.slot, "there is no such slot to delete")
        return
    if old is not None:
        _check_change(old, new)
    other = slots.overlapping(new)
    if other is not None:
        raise HypervisorError(errno.EEXIST, CALL, "base", new.base, f"overlaps slot {other.slot} at {other.base:#x}")


def check_backing(new: Memslot, ram: int) -> None:
    """What no kernel can see: fields beyond its integers, and backing outside RAM, of which it is given addresses."""
    if (new.slot | new.flags) >> 32 or (new.base | new.size) >> 64:
        _refuse_number(new)
    if new.offset % PAGE_SIZE or not 0 <= new.offset <= ram - new.size:
        rule = f"backing must be page aligned and end within RAM ({ram:#x} bytes)"
        raise HypervisorError(errno.EINVAL, CALL, "offset", new.offset, rule)


def _refuse_number(new: Memslot) -> None:
    """Too large, or negative."""
    for name, bits in (("slot", 32), ("flags", 32), ("base", 64), ("size", 64)):
        value = getattr(new, name)
        _require(0 <= value < 1 << bits, name, value, f"0 to {(1 << bits) - 1:#x}")


def _check_shape(new: Memslot, max_slots: int) -> None:
    _require(new.flags & ~_KNOWN == 0, "flags", new.flags, "known flags are LOG (1) and READONLY (2)")
    _require(new.size % PAGE_SIZE == 0, "size", new.size, f"must be a multiple of {PAGE_SIZE:#x}")
    _require(new.base % PAGE_SIZE == 0, "base", new.base, f"must be a multiple of {PAGE_SIZE:#x}")
    first = new.slot >> ADDRESS_SPACE_SHIFT == 0
    _require(first, "slot", new.slot, "address spaces are 0 and, with SMM, 1 (slot number, bits 31 to 16)")
    _require(new.slot < max_slots, "slot", new.slot, f"slot ids are 0 to {max_slots - 1}")
    _require(new.size // PAGE_SIZE <= _MAX_PAGES, "size", new.size, "at most 2^31 - 1 pages")
    within = new.base + new.size <= GPA_LIMIT or not new.size
    _require(within, "base", new.base, "the slot must end within 52 bits of guest-physical address")


def _check_change(old: Memslot, new: Memslot) -> None:
    _require(new.size == old.size, "size", new.size, "a slot cannot be resized: delete it first")
    _require(new.offset == old.offset, "offset", new.offset, "a slot's backing cannot change: delete it first")
    _require(new.readonly == old.readonly, "flags", new.flags, "READONLY can only be set when a slot is made")


def _require(held: bool, argument: str, value: int, rule: str) -> None:
    if not held:
        raise HypervisorError(errno.EINVAL, CALL, argument, value, rule)

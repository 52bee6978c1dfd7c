"""What is wrong with a region that the kernel has refused: the argument, its value, and the rule it broke."""

from engine.hypervisor.kvm.ioctl import About
from engine.hypervisor.slot_table import ADDRESS_SPACE_SHIFT, SlotTable
from engine.model.address import PAGE_SIZE
from engine.model.memslot import Memslot, SlotFlags

KNOWN_FLAGS = int(SlotFlags.LOG | SlotFlags.READONLY)
"""As an integer: a flag's own complement has no unknown bits."""


def refused(slot: Memslot, table: SlotTable, max_slots: int) -> About:
    """By the errno table of KVM_SET_USER_MEMORY_REGION."""
    present = table.by_id.get(slot.slot)
    number = slot.slot & ((1 << ADDRESS_SPACE_SHIFT) - 1)
    if slot.slot < 0 or number >= max_slots:
        return ("slot", slot.slot, f"slot ids are 0 to {max_slots - 1}")
    if slot.size == 0:
        return ("slot", slot.slot, "there is no such slot to delete")
    for name in ("base", "size", "offset"):
        if getattr(slot, name) % PAGE_SIZE:
            return (name, getattr(slot, name), f"must be a multiple of {PAGE_SIZE:#x}")
    if slot.flags & ~KNOWN_FLAGS:
        return ("flags", slot.flags, "known flags are LOG (1) and READONLY (2)")
    return (present and _change_refused(slot, present)) or _place_refused(slot, table)


def _change_refused(slot: Memslot, present: Memslot) -> About | None:
    if slot.size != present.size:
        return ("size", slot.size, "a slot cannot be resized: delete it first")
    if slot.offset != present.offset:
        return ("offset", slot.offset, "a slot's backing cannot change: delete it first")
    if slot.readonly != present.readonly:
        return ("flags", slot.flags, "READONLY can only be set when a slot is made")
    return None


def _place_refused(slot: Memslot, table: SlotTable) -> About:
    if slot.slot >> ADDRESS_SPACE_SHIFT:
        return ("slot", slot.slot, "address spaces are 0 and, with SMM, 1 (slot number, bits 31 to 16)")
    other = table.overlapping(slot)
    if other:
        return ("base", slot.base, f"overlaps slot {other.slot} at {other.base:#x}")
    return ("base", slot.base, "the slot must end within the guest-physical addresses that this host has")

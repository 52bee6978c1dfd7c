"""Memslots, as in KVM: slot id, flags, base gpa, size, and where in RAM they are backed."""

from enum import IntFlag
from typing import Annotated

import msgspec
from msgspec import Meta

from engine.model.address import PAGE_SHIFT, Gpa, PageRange

SlotId = Annotated[int, Meta(ge=0, le=0xFFFF)]
"""KVM's slot numbers are the low 16 bits; the high ones choose an address space (api.rst 4.35)."""


class SlotFlags(IntFlag):
    """KVM_MEM_* flags (api.rst 4.35)."""

    NONE = 0
    LOG = 1
    READONLY = 2


# An enum's own operators take ten times as long, and each change and each harvest of a slot asks.
_LOG, _READONLY = int(SlotFlags.LOG), int(SlotFlags.READONLY)


class Memslot(msgspec.Struct, frozen=True, gc=False):
    """`size` bytes of guest-physical memory at `base`, backed by RAM from byte `offset`.

    `size` 0 deletes the slot, as for KVM_SET_USER_MEMORY_REGION. A moved slot keeps its offset: the data moves along.
    """

    slot: SlotId
    base: Gpa
    size: Gpa
    offset: Gpa
    flags: Annotated[int, Meta(ge=0, le=3)] = 0

    @property
    def pages(self) -> PageRange:
        return PageRange(self.base >> PAGE_SHIFT, self.size >> PAGE_SHIFT)

    @property
    def logged(self) -> bool:
        return self.flags & _LOG != 0

    @property
    def readonly(self) -> bool:
        return self.flags & _READONLY != 0

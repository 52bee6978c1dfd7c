"""Dirty tracking as values: how pages are told, and what one harvest of a ring gives."""

from enum import IntFlag
from typing import Literal

import msgspec

DirtyWay = Literal["log", "clear", "ring"]
"""`log`: a bitmap a slot that reading clears; `clear`: reading leaves it, clearing is a call of its own; `ring`: a ring
of entries a vCPU."""


class ManualProtect(IntFlag):
    """Argument of KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 (api.rst 7.18). INITIALLY_SET alone is refused."""

    OFF = 0
    ENABLE = 1
    INITIALLY_SET = 2
    """A slot's log begins with every bit set: nothing is tracked until it has been cleared once."""


class DirtyPage(msgspec.Struct, frozen=True, gc=False):
    """One ring entry, struct kvm_dirty_gfn (api.rst 8.29): page `offset` of slot `slot`."""

    slot: int
    offset: int


class RingHarvest(msgspec.Struct, frozen=True):
    """What was taken out of a vCPU's ring, oldest first."""

    pages: tuple[DirtyPage, ...] = ()
    lost: bool = False
    """The host overwrote entries that nobody had read: pages are missing, and nobody knows which. Every page of every
    logged slot must count as written."""

"""HvRegisterPendingEvent0: the exception that a VTL has itself, or a lower one, take (TLFS, Handling Secure
Intercepts: "injecting an exception")."""

from engine.abi.tlfs.processor import PendingEventType, PendingExceptionEvent
from engine.abi.tlfs.status import HvStatus
from engine.vsm.effects import AnyEffect, SetPendingEvent
from engine.vsm.layout import of_bits
from engine.vsm.view import View

_VECTORS = range(32)
_NOT_FROM_OUTSIDE = frozenset({2, 3, 4})
"""NMI is no exception; #BP and #OF are traps of an instruction, whose length this register does not have."""


def pending(view: View, vp: int, vtl: int) -> int:
    return view.partition.vps[vp].vtls[vtl].pending_event


def set_pending(view: View, vp: int, vtl: int, value: int) -> tuple[AnyEffect, ...] | HvStatus:
    """Takes the place of one that has not been taken yet; without EventPending none is left."""
    new = of_bits(PendingExceptionEvent, value)
    if not new.event_pending:
        return (SetPendingEvent(vp, vtl, 0),)
    known = new.event_type == PendingEventType.EXCEPTION and not new.reserved0 and not new.reserved1
    if not known or new.vector not in _VECTORS or new.vector in _NOT_FROM_OUTSIDE:
        return HvStatus.INVALID_REGISTER_VALUE
    return (SetPendingEvent(vp, vtl, value),)

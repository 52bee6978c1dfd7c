"""SINT0's slot of a VTL's message page, as far as intercepts need it (TLFS, Synthetic Interrupt Controller)."""

from engine.abi.tlfs import messages
from engine.abi.tlfs.interface import PAGE_SIZE
from engine.vsm.effects import AnyEffect, QueueMessage, WriteMemory
from engine.vsm.view import View

_SLOT = messages.INTERCEPT_SINT * messages.MESSAGE_SIZE
_FLAGS: int = messages.Message.payload_size.offset + messages.Message.payload_size.size
_PENDING = b"\x01"


def post(view: View, vp: int, vtl: int, message: bytes) -> tuple[AnyEffect, ...] | None:
    """Into the slot; behind the message that is there still, which then says so by its pending flag ("SIM Page").

    None: the VTL has no message page, or a message waits already. TLFS has a queue of a length that it does not give;
    ours has one place, for a processor waits for its intercept.
    """
    own = view.partition.vps[vp].vtls[vtl]
    if own.message_gfn is None or own.queued:
        return None
    slot = own.message_gfn * PAGE_SIZE + _SLOT
    if _is_free(view, slot):
        return (WriteMemory(slot, message, vtl),)
    return (WriteMemory(slot + _FLAGS, _PENDING, vtl), QueueMessage(vp, vtl, message))


def end_of_message(view: View, vp: int, vtl: int) -> tuple[AnyEffect, ...]:
    """What a write to EOM does: the slot is looked at again, and gets the message that waits if it is empty."""
    own = view.partition.vps[vp].vtls[vtl]
    if own.message_gfn is None or not own.queued:
        return ()
    slot = own.message_gfn * PAGE_SIZE + _SLOT
    return (WriteMemory(slot, own.queued, vtl), QueueMessage(vp, vtl, b"")) if _is_free(view, slot) else ()


def _is_free(view: View, slot: int) -> bool:
    """The guest empties a slot by HvMessageTypeNone. A page that is not there is free: writing tells what is wrong."""
    return (view.read_u64(slot) or 0) & 0xFFFF_FFFF == messages.MessageType.NONE

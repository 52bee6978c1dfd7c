"""SINT0's slot of a VTL's message page, and the messages that wait for it (TLFS, SynIC Messages)."""

import msgspec
from msgspec.structs import replace

from engine.abi.tlfs import messages
from engine.abi.tlfs.interface import PAGE_SIZE
from engine.abi.tlfs.synic import Sint
from engine.vsm.effects import AnyEffect, RequestInterrupt, SetSynic, WriteMemory
from engine.vsm.layout import of_bits
from engine.vsm.protection import is_own
from engine.vsm.synic_state import Synic
from engine.vsm.view import View

_SLOT = messages.INTERCEPT_SINT * messages.MESSAGE_SIZE
_FLAGS: int = messages.Message.payload_size.offset + messages.Message.payload_size.size
_PENDING = b"\x01"
MOST_WAITING = 4
"""TLFS has sixteen buffers for a port, and gives no number for intercepts."""


class Posted(msgspec.Struct, frozen=True):
    """`waits`: the slot holds an earlier message, and this one comes after it."""

    waits: bool
    effects: tuple[AnyEffect, ...]


def post(view: View, vp: int, vtl: int, message: bytes) -> Posted | None:
    """Behind those that wait; the first of all goes into the slot if that is empty. Else the message in the slot gets
    its pending flag ("SIM Page"). None: the VTL takes no messages, or MOST_WAITING wait already."""
    own = view.partition.vps[vp].vtls[vtl].synic
    slot = _slot(view, vtl, own)
    if slot is None:
        return None
    queue = (*own.waiting, message)
    if _is_free(view, slot):
        effects, queue = _delivered(vp, vtl, own, slot, queue), queue[1:]
    else:
        effects = (WriteMemory(slot + _FLAGS, _PENDING, vtl), SetSynic(vp, vtl, replace(own, waiting=queue)))
    return Posted(message in queue, effects) if len(queue) <= MOST_WAITING else None


def end_of_message(view: View, vp: int, vtl: int) -> tuple[AnyEffect, ...]:
    """What a write to EOM does: the slot is looked at again, and gets the message that waits first if it is empty."""
    own = view.partition.vps[vp].vtls[vtl].synic
    slot = _slot(view, vtl, own)
    if slot is None or not own.waiting or not _is_free(view, slot):
        return ()
    return _delivered(vp, vtl, own, slot, own.waiting)


def _slot(view: View, vtl: int, own: Synic) -> int | None:
    """gpa of SINT0's slot; None where the SynIC or its page is disabled: then a VTL is "not considered". Nor is
    one that has lost the page."""
    if not own.enabled or own.message_gfn is None or not is_own(view, vtl, own.message_gfn):
        return None
    return own.message_gfn * PAGE_SIZE + _SLOT


def _delivered(vp: int, vtl: int, own: Synic, slot: int, queue: tuple[bytes, ...]) -> tuple[AnyEffect, ...]:
    """The first of `queue` in the slot, flagged where others wait; and the interrupt of SINT0, which is lost where that
    is masked (Messages)."""
    first, rest = queue[0], queue[1:]
    if rest:
        first = first[:_FLAGS] + _PENDING + first[_FLAGS + 1 :]
    source = of_bits(Sint, own.sources[messages.INTERCEPT_SINT])
    # "Polling: unmasking an interrupt source, except that an actual interrupt is not generated" (SINTx Registers).
    interrupt = () if source.masked or source.polling else (RequestInterrupt(vp, vtl, source.vector),)
    return (WriteMemory(slot, first, vtl), SetSynic(vp, vtl, replace(own, waiting=rest)), *interrupt)


def _is_free(view: View, slot: int) -> bool:
    """The guest empties a slot by HvMessageTypeNone. A page that is not there is free: writing tells what is wrong."""
    return (view.read_u64(slot) or 0) & 0xFFFF_FFFF == messages.MessageType.NONE

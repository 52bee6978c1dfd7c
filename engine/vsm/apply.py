"""The VSM state after an effect."""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from engine.vsm import effects
from engine.vsm.state import PartitionState, VpState, VpVtl


def apply(state: PartitionState, done: Iterable[effects.AnyEffect]) -> PartitionState:
    """Effects on registers, masks and memory are the machine's and leave the VSM state as it is."""
    for effect in done:
        state = _partition(state, effect)
    return state


def _partition(state: PartitionState, effect: effects.AnyEffect) -> PartitionState:
    match effect:
        case effects.EnableVtl(vtl, mbec):
            return state.with_vtl(vtl, lambda old: replace(old, enabled=True, mbec=mbec))
        case effects.SetPartitionConfig(vtl, value):
            return state.with_vtl(vtl, lambda old: replace(old, config=value))
        case effects.SetGuestOsId(vtl, value):
            return state.with_vtl(vtl, lambda old: replace(old, guest_os_id=value))
        case effects.SetHypercall(vtl, value):
            return state.with_vtl(vtl, lambda old: replace(old, hypercall=value))
        case _:
            return _processor(state, effect)


def _processor(state: PartitionState, effect: effects.AnyEffect) -> PartitionState:
    match effect:
        case effects.StartVp(vp, vtl):
            return state.with_vp(vp, lambda old: replace(_in(old, vtl), started=True))
        case effects.SwitchVtl(vp, vtl):
            return state.with_vp(vp, lambda old: _in(old, vtl))
        case (
            effects.EnableVpVtl(vp, vtl)
            | effects.SetPendingEvent(vp, vtl)
            | effects.RequestInterrupt(vp, vtl)
            | effects.AcceptInterrupt(vp, vtl)
            | effects.SetVina(vp, vtl)
            | effects.SetAssistPage(vp, vtl)
            | effects.SetSynic(vp, vtl)
        ):
            return state.with_vp_vtl(vp, vtl, lambda old: replace(old, **_changed(old, effect)))
        case effects.SetSecureConfig(vp, vtl, lower, value):
            return _released(state.with_vp_vtl(vp, vtl, lambda old: _secure(old, lower, value)), vp, lower)
        case effects.AwaitTlbLocks(vp, vtl, holders):
            more = {(vtl, holder) for holder in holders}
            return state.with_vp(vp, lambda old: replace(old, awaited=old.awaited | more))
        case _:
            return state


def _changed(old: VpVtl, effect: effects.AnyEffect) -> dict[str, Any]:
    """Fields of a VTL on a processor."""
    match effect:
        case effects.EnableVpVtl():
            return {"enabled": True}
        case effects.SetPendingEvent(value=value):
            return {"pending_event": value}
        case effects.RequestInterrupt(vector=vector):
            return {"requested": old.requested | {vector}}
        case effects.AcceptInterrupt(vector=vector):
            return {"requested": old.requested - {vector}}
        case effects.SetVina(value=value):
            return {"vina": value}
        case effects.SetAssistPage(value=value):
            return {"assist_page": value}
        case effects.SetSynic(synic=synic):
            return {"synic": synic}
        case _:
            return {}


def _in(state: VpState, vtl: int) -> VpState:
    """Those above have returned, for only the active one can."""
    return replace(state, active_vtl=vtl, entered=frozenset(one for one in state.entered if one < vtl) | {vtl})


def _released(state: PartitionState, holder: int, vtl: int) -> PartitionState:
    """Nobody waits for a lock that is gone."""
    if state.vps[holder].tlb_locked(vtl):
        return state
    for at, vp in enumerate(state.vps):
        if (vtl, holder) in vp.awaited:
            state = state.with_vp(at, lambda old: replace(old, awaited=old.awaited - {(vtl, holder)}))
    return state


def _secure(state: VpVtl, lower: int, value: int) -> VpVtl:
    return replace(state, secure=(*state.secure[:lower], value, *state.secure[lower + 1 :]))


def unlocked(state: VpState, vtl: int) -> list[int]:
    """The lower VTLs whose TLB `vtl` holds locked."""
    return [lower for lower in range(vtl) if state.vtls[vtl].secure[lower] & 0b10]

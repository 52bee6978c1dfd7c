"""The VSM state after an effect."""

from collections.abc import Iterable

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
        case effects.EnableVpVtl(vp, vtl):
            return state.with_vp_vtl(vp, vtl, lambda old: replace(old, enabled=True))
        case effects.StartVp(vp, vtl):
            return state.with_vp(vp, lambda old: replace(old, started=True, active_vtl=vtl))
        case effects.SwitchVtl(vp, vtl):
            return state.with_vp(vp, lambda old: replace(old, active_vtl=vtl))
        case effects.SetPendingEvent(vp, vtl, value):
            return state.with_vp_vtl(vp, vtl, lambda old: replace(old, pending_event=value))
        case effects.SetVina(vp, vtl, value):
            return state.with_vp_vtl(vp, vtl, lambda old: replace(old, vina=value))
        case effects.SetAssistPage(vp, vtl, value):
            return state.with_vp_vtl(vp, vtl, lambda old: replace(old, assist_page=value))
        case effects.SetSynic(vp, vtl, synic):
            return state.with_vp_vtl(vp, vtl, lambda old: replace(old, synic=synic))
        case effects.SetSecureConfig(vp, vtl, lower, value):
            return state.with_vp_vtl(vp, vtl, lambda old: _secure(old, lower, value))
        case _:
            return state


def _secure(state: VpVtl, lower: int, value: int) -> VpVtl:
    return replace(state, secure=(*state.secure[:lower], value, *state.secure[lower + 1 :]))


def unlocked(state: VpState, vtl: int) -> list[int]:
    """The lower VTLs whose TLB `vtl` holds locked."""
    return [lower for lower in range(vtl) if state.vtls[vtl].secure[lower] & 0b10]

"""Interrupts of VTLs (TLFS, VTL Interrupt Management). Each VTL has a controller of its own on each processor, of which
there are the request register and TPR; no in-service register: each interrupt is as if with AutoEOI."""

from engine.abi.tlfs.interface import PAGE_SIZE
from engine.abi.tlfs.registers import RegisterName, VsmVina
from engine.abi.x86 import RFLAGS_IF
from engine.vsm.effects import AnyEffect, RequestInterrupt, WriteMemory
from engine.vsm.layout import of_bits
from engine.vsm.protection import is_own
from engine.vsm.switch import ASSERTED, VINA
from engine.vsm.view import View

_WORD = VINA & ~7
"""Offset of the eight bytes of the assist page that hold VinaStatus."""


def acceptable(view: View, vp: int, vtl: int) -> list[int]:
    """The vectors that wait and that the VTL's TPR lets through, the highest first (SDM Vol. 3, 11.8.3)."""
    requested = view.partition.vps[vp].vtls[vtl].requested
    priority = (view.register(vp, vtl, RegisterName.CR8) or 0) if requested else 0
    return sorted((vector for vector in requested if vector >> 4 > priority), reverse=True)


def preempted_by(view: View, vp: int) -> int | None:
    """The VTL that is to be entered for an interrupt: the highest of several. "Only the higher VTL's TPR/CR8 value is
    taken into account" (RFLAGS.IF)."""
    state = view.partition.vps[vp]
    higher = [vtl for vtl in state.enabled_vtls if vtl > state.active_vtl]
    return max((vtl for vtl in higher if acceptable(view, vp, vtl)), default=None)


def notified(view: View, vp: int) -> tuple[AnyEffect, ...]:
    """Virtual Interrupt Notification Assist: the active VTL is told, by an interrupt and in its assist page, that it
    keeps a lower one from an interrupt. Once, until the status there is cleared; never where there is no such page."""
    state = view.partition.vps[vp]
    own, active = state.vtls[state.active_vtl], state.active_vtl
    vina = of_bits(VsmVina, own.vina)
    if not vina.enabled or own.assist_gfn is None or not is_own(view, active, own.assist_gfn):
        return ()
    if not any(_blocked(view, vp, vtl) for vtl in range(active)):
        return ()
    page = own.assist_gfn * PAGE_SIZE
    if (view.read_u64(page + _WORD) or 0) >> 8 * (VINA - _WORD) & 1:
        return ()
    return (WriteMemory(page + VINA, ASSERTED, active), RequestInterrupt(vp, active, vina.vector))


def _blocked(view: View, vp: int, vtl: int) -> bool:
    """ "ready for immediate delivery": but for the VTL, it would be taken."""
    flags = view.register(vp, vtl, RegisterName.RFLAGS) or 0
    return bool(flags & RFLAGS_IF and acceptable(view, vp, vtl))

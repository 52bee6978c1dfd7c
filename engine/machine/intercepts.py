"""A denied access told to the VTL that denied it: message, entry, and what to do where it cannot be told."""

from typing import Any

from engine.abi.tlfs.processor import EntryReason
from engine.hypervisor.contract.protocols import Vcpu, Vm
from engine.machine.hypercalls import Answered
from engine.machine.intercept_message import message_of
from engine.machine.vsm_effects import perform
from engine.machine.vsm_state import Vsm
from engine.machine.vsm_view import MachineView
from engine.model.address import PAGE_SHIFT
from engine.model.events import ExitTaken, InterceptDelivered, VtlSwitched
from engine.model.exits import ProtectionExit
from engine.model.resolution import Retry
from engine.vsm.protection import denied_by, is_own, needed
from engine.vsm.switch import enter
from engine.vsm.synic import post

_USER = 3


def answer_violation(vm: Vm, vsm: Vsm, vcpu: Vcpu, exit: ProtectionExit, ram: int) -> Answered:
    """Tell the VTL that set the protection, and go on in it; the instruction waits to be executed afresh. Where it
    cannot be told, the vCPU stops at the instruction."""
    view = MachineView(vm, vsm, vcpu, vcpu.registers())
    gfn = exit.gpa >> PAGE_SHIFT
    taken: dict[str, Any] = {"exit": exit, "mask": int(vm.mask(exit.vtl, gfn))}
    right = needed(exit.access, vcpu.ring == _USER, vsm.partition.vps[vcpu.index].mbec_active(exit.vtl))
    receiver = denied_by(view, exit.vtl, gfn, right)
    if receiver is None and right in vm.mask(exit.vtl, gfn):
        # Another vCPU has had the mask relaxed meanwhile.
        vcpu.resolve(exit, Retry())
        return Answered([(ExitTaken, taken | {"resolution": Retry()})])
    if receiver is None or receiver not in vsm.partition.vps[vcpu.index].enabled_vtls:
        return _untold(taken, exit, "no higher VTL is enabled on this vCPU")
    return _tell(vm, vsm, vcpu, ram, taken, view, receiver)


def _tell(vm: Vm, vsm: Vsm, vcpu: Vcpu, ram: int, taken: dict[str, Any], view: MachineView, receiver: int) -> Answered:
    exit: ProtectionExit = taken["exit"]
    message = message_of(exit, vcpu.registers(), vcpu.system_registers(exit.vtl), vsm.profile.long_intercept)
    posted = post(view, vcpu.index, receiver, message)
    if posted is None:
        return _untold(taken, exit, _why(view, vcpu.index, receiver))
    vcpu.resolve(exit, Retry())
    entry = enter(vsm.partition, vcpu.index, receiver, EntryReason.INTERCEPT)
    logged = perform(vm, vsm, vcpu, ram, (*posted.effects, *entry.effects))
    switch = {"vcpu": vcpu.index, "from_vtl": exit.vtl, "to_vtl": receiver, "reason": "intercept"}
    return Answered(
        [
            (ExitTaken, taken | {"resolution": Retry()}),
            (InterceptDelivered, _delivered(exit, receiver, message, posted.waits)),
            (VtlSwitched, switch),
            *logged,
        ]
    )


def _why(view: MachineView, vp: int, vtl: int) -> str:
    own = view.partition.vps[vp].vtls[vtl].synic
    if not own.enabled:
        return f"VTL{vtl} has its SynIC off (SCONTROL)"
    if own.message_gfn is None:
        return f"VTL{vtl} has no message page (SIMP)"
    if not is_own(view, vtl, own.message_gfn):
        return f"VTL{vtl} has not all rights to its message page"
    return f"VTL{vtl} has left {len(own.waiting) + 1} messages where they are"


def _untold(taken: dict[str, Any], exit: ProtectionExit, why: str) -> Answered:
    return Answered([(ExitTaken, taken)], f"{exit.access} of {exit.gpa:#x} denied; no intercept: {why}")


def _delivered(exit: ProtectionExit, receiver: int, message: bytes, queued: bool) -> dict[str, Any]:
    return {
        "vcpu": exit.vcpu,
        "vtl": receiver,
        "from_vtl": exit.vtl,
        "gpa": exit.gpa,
        "gva": exit.gva,
        "access": str(exit.access),
        "rip": exit.rip,
        "queued": queued,
        "message": message,
    }

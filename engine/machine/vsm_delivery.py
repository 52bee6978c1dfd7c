"""What waits for a vCPU is given to it before it enters the guest: a higher VTL, an exception, an interrupt."""

from engine.abi.tlfs.processor import EntryReason
from engine.hypervisor.contract.protocols import Vcpu, Vm
from engine.machine.operations import Effect
from engine.machine.vsm_effects import perform
from engine.machine.vsm_events import exception_of
from engine.machine.vsm_state import Vsm
from engine.machine.vsm_view import MachineView
from engine.model.events import ExitTaken, InterruptTaken, VtlSwitched
from engine.model.exits import Interrupted
from engine.model.resolution import Retry
from engine.vsm.effects import AcceptInterrupt, SetPendingEvent
from engine.vsm.interrupts import acceptable, notified, preempted_by
from engine.vsm.switch import enter


def deliver(vm: Vm, vsm: Vsm, vcpu: Vcpu, ram: int) -> list[Effect]:
    """What is to be logged. Last of all that is done to a vCPU between two runs, for to set registers would take back
    what is injected."""
    if not any(own.requested or own.pending_event for own in vsm.partition.vps[vcpu.index].vtls):
        vsm.due.discard(vcpu.index)
        return []
    logged = _preempt(vm, vsm, vcpu, ram)
    perform(vm, vsm, vcpu, ram, notified(_view(vm, vsm, vcpu), vcpu.index))
    pending = vsm.partition.vps[vcpu.index].vtls[vcpu.vtl].pending_event
    if pending:
        vcpu.inject(exception_of(pending))
        perform(vm, vsm, vcpu, ram, [SetPendingEvent(vcpu.index, vcpu.vtl, 0)])
    logged += _interrupt(vm, vsm, vcpu, ram)
    if not any(own.requested for own in vsm.partition.vps[vcpu.index].vtls[vcpu.vtl :]):
        vsm.due.discard(vcpu.index)
    return logged


def _preempt(vm: Vm, vsm: Vsm, vcpu: Vcpu, ram: int) -> list[Effect]:
    """ "An interrupt targeted at a VTL which is higher than the active VTL will cause an immediate VTL switch" (VTL
    Interrupt Management)."""
    vtl = preempted_by(_view(vm, vsm, vcpu), vcpu.index)
    if vtl is None:
        return []
    entry = enter(vsm.partition, vcpu.index, vtl, EntryReason.INTERRUPT)
    raw = f"an interrupt waits for VTL{vtl}"
    exit = Interrupted(vcpu=vcpu.index, vtl=entry.from_vtl, rip=vcpu.registers().rip, raw=raw)
    told = {"vcpu": vcpu.index, "from_vtl": entry.from_vtl, "to_vtl": vtl, "reason": "interrupt"}
    done = perform(vm, vsm, vcpu, ram, entry.effects)
    return [(ExitTaken, {"exit": exit, "resolution": Retry()}), (VtlSwitched, told), *done]


def _interrupt(vm: Vm, vsm: Vsm, vcpu: Vcpu, ram: int) -> list[Effect]:
    """One is taken; to ask for the next too has run end when that may be."""
    logged: list[Effect] = []
    for vector in acceptable(_view(vm, vsm, vcpu), vcpu.index, vcpu.vtl):
        if not vcpu.interrupt(vector):
            break
        perform(vm, vsm, vcpu, ram, [AcceptInterrupt(vcpu.index, vcpu.vtl, vector)])
        logged.append((InterruptTaken, {"vcpu": vcpu.index, "vtl": vcpu.vtl, "vector": vector}))
    return logged


def _view(vm: Vm, vsm: Vsm, vcpu: Vcpu) -> MachineView:
    return MachineView(vm, vsm, vcpu, vcpu.registers())

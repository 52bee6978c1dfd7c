"""Synthetic MSRs: an RDMSR or WRMSR that exits, by the rules of HvCallGetVpRegisters and HvCallSetVpRegisters."""

from engine.abi.tlfs import interface
from engine.abi.tlfs.registers import RegisterName as Name
from engine.abi.tlfs.status import HvStatus
from engine.abi.tlfs.synic import SINTS
from engine.hypervisor.contract.protocols import Vcpu, Vm
from engine.hypervisor.contract.vectors import GENERAL_PROTECTION
from engine.machine.hypercalls import Answered
from engine.machine.vsm_effects import obstacle, perform
from engine.machine.vsm_state import Vsm
from engine.machine.vsm_view import MachineView
from engine.model.events import ExitTaken
from engine.model.exits import MsrExit
from engine.model.resolution import Complete, Inject, Resolution
from engine.vsm.effects import AnyEffect
from engine.vsm.vsm_registers import RULES

MSRS: dict[int, int] = {
    interface.MSR_GUEST_OS_ID: Name.GUEST_OS_ID,
    interface.MSR_HYPERCALL: Name.HYPERCALL,
    interface.MSR_VP_INDEX: Name.VP_INDEX,
    interface.MSR_VP_ASSIST_PAGE: Name.VP_ASSIST_PAGE,
    interface.MSR_SCONTROL: Name.SCONTROL,
    interface.MSR_SVERSION: Name.SVERSION,
    interface.MSR_SIMP: Name.SIMP,
    interface.MSR_EOM: Name.EOM,
} | {interface.MSR_SINT0 + number: Name.SINT0 + number for number in range(SINTS)}
"""Register names by MSR; each VTL has its own of all but the VP index."""
_REFUSED = Inject(GENERAL_PROTECTION, 0)


def answer_msr(vm: Vm, vsm: Vsm, vcpu: Vcpu, exit: MsrExit, ram: int) -> Answered:
    """Of the active VTL. #GP(0): read only, a value that is refused, or what this VMM cannot do."""
    view = MachineView(vm, vsm, vcpu, vcpu.registers())
    rule, vp = RULES[MSRS[exit.index]], vcpu.index
    done: tuple[AnyEffect, ...] = ()
    resolution: Resolution = _REFUSED
    if exit.data is None:
        value = rule.read(view, vp, exit.vtl)
        if not isinstance(value, HvStatus):
            resolution = Complete(value.to_bytes(8, "little"))
    elif rule.write is not None:
        found = rule.write(view, vp, exit.vtl, int.from_bytes(exit.data, "little"))
        if not isinstance(found, HvStatus) and obstacle(vm, found) is None:
            resolution, done = Complete(), found
    vcpu.resolve(exit, resolution)
    return Answered([(ExitTaken, {"exit": exit, "resolution": resolution}), *perform(vm, vsm, vcpu, ram, done)])

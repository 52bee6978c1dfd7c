"""Hypercalls that KVM's own Hyper-V leaves to the VMM: served by the vsm layer as ours are, answered into the exit."""

from engine.hypervisor.contract.protocols import Vcpu, Vm
from engine.machine.hypercalls import UNDEFINED, Answered, served_fields
from engine.machine.vsm_state import Vsm
from engine.machine.vsm_view import MachineView
from engine.model.events import ExitTaken, HypercallServed
from engine.model.exits import HypercallExit
from engine.model.resolution import Complete
from engine.vsm.calls.post_message import POST_MESSAGE
from engine.vsm.calls.signal_event import SIGNAL_EVENT
from engine.vsm.dispatch import serve
from engine.vsm.parameters import CallRegisters, Denied, Undefined
from engine.vsm.view import Caller

LEFT = {call.code: call for call in (POST_MESSAGE, SIGNAL_EVENT)}
"""Calls on masks and VTLs the kernel refuses by itself."""


def answer_kernel_call(vm: Vm, vsm: Vsm, vcpu: Vcpu, exit: HypercallExit) -> Answered:
    """The kernel puts the result into RAX and RIP behind the call. None of these is a rep call, so each is finished."""
    view = MachineView(vm, vsm, vcpu, vcpu.registers())
    given = CallRegisters(rcx=exit.input, rdx=exit.rdx, r8=exit.r8)
    served = serve(LEFT, Caller(vcpu.index, exit.vtl), view, view, given)
    if isinstance(served, Denied):
        why = f"hypercall parameters: {served.access} of {served.gpa:#x} denied"
        return Answered([(ExitTaken, {"exit": exit})], why)
    if isinstance(served, Undefined):
        vcpu.resolve(exit, UNDEFINED)
        return Answered([(ExitTaken, {"exit": exit, "resolution": UNDEFINED})])
    resolution = Complete(served.rax.to_bytes(8, "little"))
    vcpu.resolve(exit, resolution)
    taken = {"exit": exit, "resolution": resolution}
    return Answered([(ExitTaken, taken), (HypercallServed, served_fields(exit, served, ""))])

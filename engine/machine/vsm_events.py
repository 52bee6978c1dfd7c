"""The exception that waits in HvRegisterPendingEvent0 of a VTL, given to a vCPU that is in it."""

from engine.abi.tlfs.processor import PendingExceptionEvent
from engine.hypervisor.contract.protocols import Vcpu
from engine.hypervisor.contract.vectors import PAGE_FAULT
from engine.machine.vsm_state import Vsm
from engine.model.resolution import Inject
from engine.vsm.apply import apply
from engine.vsm.effects import SetPendingEvent
from engine.vsm.layout import of_bits


def exception_of(value: int) -> Inject:
    """Of a PendingExceptionEvent; its parameter is the address of a #PF."""
    event = of_bits(PendingExceptionEvent, value)
    code = event.error_code if event.deliver_error_code else None
    address = event.exception_parameter if event.vector == PAGE_FAULT else None
    return Inject(event.vector, code, address)


def deliver(vsm: Vsm, vcpu: Vcpu) -> None:
    """Last of all that an answer does: to set registers would take back what is injected."""
    value = vsm.partition.vps[vcpu.index].vtls[vcpu.vtl].pending_event
    if value:
        vsm.partition = apply(vsm.partition, [SetPendingEvent(vcpu.index, vcpu.vtl, 0)])
        vcpu.inject(exception_of(value))

"""HvRegisterPendingEvent0 as the exception that a vCPU takes."""

from engine.abi.tlfs.processor import PendingExceptionEvent
from engine.hypervisor.contract.vectors import PAGE_FAULT
from engine.model.resolution import Inject
from engine.vsm.layout import of_bits


def exception_of(value: int) -> Inject:
    """Of a PendingExceptionEvent; its parameter is the address of a #PF."""
    event = of_bits(PendingExceptionEvent, value)
    code = event.error_code if event.deliver_error_code else None
    address = event.exception_parameter if event.vector == PAGE_FAULT else None
    return Inject(event.vector, code, address)

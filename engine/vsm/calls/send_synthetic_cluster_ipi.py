"""HvCallSendSyntheticClusterIpi: a fixed interrupt for a VTL of some processors."""

from engine.abi.tlfs import parameters
from engine.abi.tlfs.interface import CallCode
from engine.abi.tlfs.status import HvStatus
from engine.abi.tlfs.synic import VECTORS
from engine.vsm.call import Call, Parameters, RepResult, refuse, succeed
from engine.vsm.effects import AnyEffect, RequestInterrupt
from engine.vsm.targets import input_vtl, is_zero, visible_vtl
from engine.vsm.view import Caller, View


def send(caller: Caller, view: View, given: Parameters) -> RepResult:
    """All of the processors or none. Without a target it is the caller's own VTL; a higher one is not a lower one's to
    interrupt ("without interference from a less secure VTL", VTL Interrupt Management). TLFS has no order of checks."""
    header = given.header
    if header.vector not in VECTORS or not is_zero(header.padding):
        return refuse(HvStatus.INVALID_PARAMETER)
    vtl = input_vtl(header.target_vtl, caller.vtl)
    if isinstance(vtl, HvStatus):
        return refuse(vtl)
    if header.processors >> len(view.partition.vps):
        return refuse(HvStatus.INVALID_PARAMETER)
    effects: tuple[AnyEffect, ...] = ()
    for vp in range(len(view.partition.vps)):
        if header.processors >> vp & 1:
            status = visible_vtl(caller, view, vp, vtl)
            if status is not HvStatus.SUCCESS:
                return refuse(status)
            effects += (RequestInterrupt(vp, vtl, header.vector),)
    return succeed(*effects)


SEND_SYNTHETIC_CLUSTER_IPI = Call(
    code=CallCode.SendSyntheticClusterIpi, header=parameters.SendSyntheticClusterIpi, function=send
)

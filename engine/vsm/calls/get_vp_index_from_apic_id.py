"""HvCallGetVpIndexFromApicId: the index of the processor that has an APIC id."""

from engine.abi.tlfs import parameters
from engine.abi.tlfs.interface import CallCode
from engine.abi.tlfs.status import HvStatus
from engine.vsm.call import Call, Layout, Parameters, RepResult, refuse
from engine.vsm.targets import is_self
from engine.vsm.view import Caller, View


def _find(layout: Layout, caller: Caller, view: View, given: Parameters) -> RepResult:
    """The statuses are those of the call's table of return values; TLFS leaves their order open."""
    target: int = given.header.target_vtl
    if not is_self(given.header.partition_id):
        return refuse(HvStatus.INVALID_PARTITION_ID)
    if target > caller.vtl:
        return refuse(HvStatus.ACCESS_DENIED)
    if not view.partition.vtls[target].enabled:
        return refuse(HvStatus.INVALID_VTL_STATE)
    numbers = {vp.apic_id: index for index, vp in enumerate(view.partition.vps)}
    found = b""
    for done, rep in enumerate(given.reps):
        if rep.index not in numbers:
            return RepResult(HvStatus.INVALID_PARAMETER, done, output=found)
        found += bytes(layout(numbers[rep.index]))
    return RepResult(HvStatus.SUCCESS, len(given.reps), output=found)


def _call(layout: Layout) -> Call:
    return Call(
        code=CallCode.GetVpIndexFromApicId,
        header=parameters.VpIndexFromApicId,
        element=layout,
        output_element=layout,
        function=lambda caller, view, given: _find(layout, caller, view, given),
    )


PADDED = _call(parameters.PaddedIndex)
UNPADDED = _call(parameters.Index)

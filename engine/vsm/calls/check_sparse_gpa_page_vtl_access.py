"""HvCallCheckSparseGpaPageVtlAccess: may a VTL use these pages, and if not, who would get the intercept."""

from engine.abi.tlfs import parameters
from engine.abi.tlfs.interface import CallCode
from engine.abi.tlfs.memory import MAP_PERMISSIONS, VtlAccessCode, VtlAccessResult
from engine.abi.tlfs.status import HvStatus
from engine.model.rights import Rights
from engine.vsm.call import Call, Parameters, RepResult, refuse
from engine.vsm.layout import bits
from engine.vsm.protection import denied_by
from engine.vsm.targets import input_vtl, is_self, is_zero
from engine.vsm.view import Caller, View


def check(caller: Caller, view: View, given: Parameters) -> RepResult:
    """The call is not in TLFS; layout from openvmm's hvdef, statuses as in the other calls."""
    header = given.header
    if not is_self(header.partition_id):
        return refuse(view.profile.foreign_partition)
    target = input_vtl(header.target_vtl, caller.vtl)
    if isinstance(target, HvStatus):
        return refuse(target)
    if target > caller.vtl:
        return refuse(HvStatus.ACCESS_DENIED)
    if header.desired_access & ~MAP_PERMISSIONS or not is_zero(header.rsvdz):
        return refuse(HvStatus.INVALID_PARAMETER)
    if not view.partition.vtls[target].enabled:
        return refuse(HvStatus.INVALID_VTL_STATE)
    desired, found = Rights(header.desired_access), b""
    for done, rep in enumerate(given.reps):
        if not view.is_ram(rep.gfn):
            return RepResult(HvStatus.INVALID_PARAMETER, done, output=found)
        found += _page(view, target, rep.gfn, desired).to_bytes(8, "little")
    return RepResult(HvStatus.SUCCESS, len(given.reps), output=found)


def _page(view: View, target: int, gfn: int, desired: Rights) -> int:
    setter = denied_by(view, target, gfn, desired)
    if setter is None:
        return bits(VtlAccessResult, code=VtlAccessCode.SUCCESS)
    denied = desired & ~view.mask(setter, target, gfn)
    return bits(
        VtlAccessResult, code=VtlAccessCode.MEMORY_INTERCEPT, denied_access=int(denied), intercepting_vtl=setter
    )


CHECK_SPARSE_GPA_PAGE_VTL_ACCESS = Call(
    code=CallCode.CheckSparseGpaPageVtlAccess,
    header=parameters.CheckSparseGpaPageVtlAccess,
    element=parameters.GpaPage,
    output_element=parameters.VtlAccess,
    function=check,
)

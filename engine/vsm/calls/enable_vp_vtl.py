"""HvCallEnableVpVtl: gives a processor a context in a VTL; the active VTL stays."""

from engine.abi.tlfs import parameters
from engine.abi.tlfs.interface import PRIVILEGE_ACCESS_VSM, CallCode
from engine.abi.tlfs.status import HvStatus
from engine.vsm.call import Call, Parameters, RepResult, refuse, succeed
from engine.vsm.context import decode_context, is_startable
from engine.vsm.effects import EnableVpVtl
from engine.vsm.targets import has_privileges, is_self, is_zero, processor
from engine.vsm.view import Caller, View


def enable(caller: Caller, view: View, given: Parameters) -> RepResult:
    """The order is openvmm's (hardware_cvm/mod.rs), with privileges first and the context last."""
    header = given.header
    target: int = header.target_vtl
    if not has_privileges(view, PRIVILEGE_ACCESS_VSM):
        return refuse(HvStatus.ACCESS_DENIED)
    if not is_self(header.partition_id):
        return refuse(HvStatus.INVALID_PARTITION_ID)
    vp = processor(caller, view, header.vp_index)
    if vp is None:
        return refuse(HvStatus.INVALID_VP_INDEX)
    if target == 0 or target > view.partition.maximum_vtl or not is_zero(header.rsvdz):
        return refuse(HvStatus.INVALID_PARAMETER)
    # "To enable a VTL on a VP, it must first be enabled for the partition."
    if not view.partition.vtls[target].enabled:
        return refuse(HvStatus.INVALID_VTL_STATE)
    if not _may_enable(caller, view, target):
        return refuse(HvStatus.ACCESS_DENIED)
    if view.partition.vps[vp].vtls[target].enabled:
        return refuse(HvStatus.VTL_ALREADY_ENABLED)
    context = decode_context(header.context)
    if not is_startable(context, target):
        return refuse(HvStatus.INVALID_REGISTER_VALUE)
    return succeed(EnableVpVtl(vp, target, context))


def _may_enable(caller: Caller, view: View, target: int) -> bool:
    """From `target` or above always; from below only by the highest VTL there is under it, and only while no processor
    has it: "all other calls to enable the VTL must come from equal or greater VTLs" (Restrictions)."""
    if caller.vtl >= target:
        return True
    if any(vp.vtls[target].enabled for vp in view.partition.vps):
        return False
    return caller.vtl == max(vtl for vtl in view.partition.enabled_vtls if vtl < target)


ENABLE_VP_VTL = Call(code=CallCode.EnableVpVtl, header=parameters.EnableVpVtl, function=enable)

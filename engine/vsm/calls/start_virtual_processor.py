"""HvCallStartVirtualProcessor: starts a processor in a VTL, with these registers."""

from engine.abi.tlfs import parameters
from engine.abi.tlfs.interface import PRIVILEGE_START_VIRTUAL_PROCESSOR, CallCode
from engine.abi.tlfs.registers import VsmPartitionConfig
from engine.abi.tlfs.status import HvStatus
from engine.vsm.call import Call, Parameters, RepResult, refuse, succeed
from engine.vsm.context import decode_context, is_startable
from engine.vsm.effects import StartVp
from engine.vsm.layout import of_bits
from engine.vsm.targets import has_privileges, is_self, processor
from engine.vsm.view import Caller, View


def start(caller: Caller, view: View, given: Parameters) -> RepResult:
    """The statuses are those of the call's table of return values; TLFS leaves their order open."""
    header = given.header
    target: int = header.target_vtl
    if not has_privileges(view, PRIVILEGE_START_VIRTUAL_PROCESSOR):
        return refuse(HvStatus.ACCESS_DENIED)
    if not is_self(header.partition_id):
        return refuse(HvStatus.INVALID_PARTITION_ID)
    vp = processor(caller, view, header.vp_index)
    if vp is None:
        return refuse(HvStatus.INVALID_VP_INDEX)
    if target > caller.vtl or _denied(view, caller.vtl):
        return refuse(HvStatus.ACCESS_DENIED)
    if not view.partition.vps[vp].vtls[target].enabled:
        return refuse(HvStatus.INVALID_VTL_STATE)
    if view.partition.vps[vp].started:
        return refuse(HvStatus.INVALID_VP_STATE)
    context = decode_context(header.context)
    if not is_startable(context, target):
        return refuse(HvStatus.INVALID_REGISTER_VALUE)
    return succeed(StartVp(vp, target, context))


def _denied(view: View, vtl: int) -> bool:
    """A VTL above has DenyLowerVtlStartup set."""
    higher = (view.partition.vtls[above] for above in view.partition.enabled_vtls if above > vtl)
    return any(of_bits(VsmPartitionConfig, state.config).deny_lower_vtl_startup for state in higher)


START_VIRTUAL_PROCESSOR = Call(
    code=CallCode.StartVirtualProcessor, header=parameters.StartVirtualProcessor, function=start
)

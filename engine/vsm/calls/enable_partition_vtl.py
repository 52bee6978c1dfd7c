"""HvCallEnablePartitionVtl: makes a VTL available to the partition."""

from engine.abi.tlfs import parameters
from engine.abi.tlfs.interface import PRIVILEGE_ACCESS_VSM, CallCode
from engine.abi.tlfs.status import HvStatus
from engine.vsm.call import Call, Parameters, RepResult, refuse, succeed
from engine.vsm.effects import EnableVtl
from engine.vsm.targets import has_privileges, is_self, is_zero
from engine.vsm.view import Caller, View


def enable(caller: Caller, view: View, given: Parameters) -> RepResult:
    """The statuses are those that the kvm-unit-tests for VSM expect; TLFS lists none for this call."""
    header, partition = given.header, view.partition
    target: int = header.target_vtl
    # VSM Detection and Status: only a partition with AccessVsm may use it.
    if not has_privileges(view, PRIVILEGE_ACCESS_VSM):
        return refuse(HvStatus.ACCESS_DENIED)
    if not is_self(header.partition_id):
        return refuse(HvStatus.INVALID_PARTITION_ID)
    if target == 0:
        return refuse(view.profile.vtl0_enable)
    if target > partition.maximum_vtl:
        return refuse(HvStatus.INVALID_PARAMETER)
    if header.reserved or not is_zero(header.rsvdz):
        return refuse(HvStatus.INVALID_PARAMETER)
    if header.enable_mbec and not partition.mbec_capable:
        return refuse(HvStatus.INVALID_PARAMETER)
    if not _may_enable(caller, view, target):
        return refuse(HvStatus.ACCESS_DENIED)
    if partition.vtls[target].enabled:
        return refuse(HvStatus.VTL_ALREADY_ENABLED)
    return succeed(EnableVtl(target, bool(header.enable_mbec)))


def _may_enable(caller: Caller, view: View, target: int) -> bool:
    """A lower VTL always; a higher one only from the highest enabled VTL that is lower than it (Restrictions)."""
    return target <= caller.vtl or caller.vtl == max(vtl for vtl in view.partition.enabled_vtls if vtl < target)


ENABLE_PARTITION_VTL = Call(code=CallCode.EnablePartitionVtl, header=parameters.EnablePartitionVtl, function=enable)

"""HvCallModifyVtlProtectionMask: a VTL changes what lower VTLs may do to pages."""

from collections.abc import Sequence
from typing import Any

from engine.abi.tlfs import parameters
from engine.abi.tlfs.interface import CallCode
from engine.abi.tlfs.memory import MAP_PERMISSIONS, MapFlags
from engine.abi.tlfs.status import HvStatus
from engine.model.rights import Rights, is_valid_mask
from engine.vsm.call import Call, Parameters, RepResult, refuse
from engine.vsm.effects import AwaitTlbLocks, SetMask
from engine.vsm.profile import Profile
from engine.vsm.targets import input_vtl, is_self, is_zero
from engine.vsm.view import Caller, View


def modify(caller: Caller, view: View, given: Parameters) -> RepResult:
    """Either meaning of TargetVtl leads to a setter and the VTLs that it binds."""
    header = given.header
    if not is_self(header.partition_id):
        return refuse(view.profile.foreign_partition)
    if not is_zero(header.rsvdz):
        return refuse(HvStatus.INVALID_PARAMETER)
    find = imposer if view.profile.target_is_imposer else restricted
    who = find(caller, view, header.target_vtl)
    if isinstance(who, HvStatus):
        return refuse(who)
    setter, targets = who
    rights = protection(header.map_flags, view.partition.vtls[setter].mbec, view.profile)
    if isinstance(rights, HvStatus):
        return refuse(rights)
    return _pages(caller, view, (setter, targets), rights, given.reps)


Binding = tuple[int, tuple[int, ...]]
"""The VTL that sets a protection, and those that it restricts."""


def restricted(caller: Caller, view: View, raw_vtl: int) -> Binding | HvStatus:
    """TargetVtl is the VTL to restrict. The order is that of the QEMU VSM branch, then openvmm's for what it lacks."""
    target = input_vtl(raw_vtl, caller.vtl - 1)
    if isinstance(target, HvStatus):
        return target
    # Without UseTargetVtl, the next lower VTL; VTL0 has none.
    if target < 0:
        return HvStatus.INVALID_PARAMETER
    # "A VTL can only place protections on a lower VTL."
    if target >= caller.vtl:
        return HvStatus.ACCESS_DENIED
    # "it can begin setting access protections once the EnableVtlProtection flag has been set" (VTL Enablement).
    if not view.partition.vtls[caller.vtl].protects:
        return HvStatus.ACCESS_DENIED
    if not view.partition.vtls[target].enabled:
        return HvStatus.INVALID_VTL_STATE
    return caller.vtl, (target,)


def imposer(caller: Caller, view: View, raw_vtl: int) -> Binding | HvStatus:
    """TargetVtl is the VTL that imposes. The order is that of openvmm's hardware_cvm handler."""
    target = input_vtl(raw_vtl, caller.vtl)
    if isinstance(target, HvStatus):
        return target
    if target > caller.vtl:
        return HvStatus.ACCESS_DENIED
    if target == 0:
        return HvStatus.INVALID_PARAMETER
    if target == caller.vtl and not view.partition.vtls[target].protects:
        return HvStatus.ACCESS_DENIED
    if not view.partition.vtls[target].enabled:
        return HvStatus.INVALID_VTL_STATE
    return target, tuple(vtl for vtl in view.partition.enabled_vtls if vtl < target)


def protection(map_flags: int, mbec: bool, profile: Profile) -> Rights | HvStatus:
    """The rights that MapFlags leave, or the status for a mask that is not allowed."""
    if map_flags & ~MAP_PERMISSIONS:
        return profile.bad_mask
    rights = Rights(map_flags)
    if rights and not map_flags & MapFlags.READ:
        return profile.bad_mask
    if not mbec and not profile.strict_execute:
        execute = Rights.KX | Rights.UX
        rights = rights | execute if rights & Rights.KX else rights & ~execute
    return rights if is_valid_mask(rights, mbec) else profile.bad_mask


def _pages(caller: Caller, view: View, who: Binding, rights: Rights, reps: Sequence[Any]) -> RepResult:
    """All of a stretch, or as far as there is RAM (by profile)."""
    setter, targets = who
    gfns, waits = tuple(rep.gfn for rep in reps), _waits(caller, view, targets)
    good = next((at for at, gfn in enumerate(gfns) if not view.is_ram(gfn)), len(gfns))
    if good == len(gfns):
        return RepResult(HvStatus.SUCCESS, good, (SetMask(setter, targets, gfns, rights), *waits))
    if view.profile.all_pages_first or not good:
        return refuse(view.profile.not_ram)
    return RepResult(view.profile.not_ram, good, (SetMask(setter, targets, gfns[:good], rights), *waits))


def _waits(caller: Caller, view: View, targets: tuple[int, ...]) -> list[AwaitTlbLocks]:
    """Who holds the TLB of a restricted VTL locked goes by what it knew of the page until it unlocks; so long that VTL
    of the caller's processor does not go on (openvmm, hardware_cvm/tlb_lock.rs)."""
    found = ((target, view.partition.holders(caller.vp, target)) for target in targets)
    return [AwaitTlbLocks(caller.vp, target, holders) for target, holders in found if holders]


MODIFY_VTL_PROTECTION_MASK = Call(
    code=CallCode.ModifyVtlProtectionMask,
    header=parameters.ModifyVtlProtectionMask,
    element=parameters.GpaPage,
    function=modify,
)

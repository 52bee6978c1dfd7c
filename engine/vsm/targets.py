"""Who a call is about: partition, processor and VTL by their numbers, each a value or the status that refuses it."""

from engine.abi.tlfs.interface import PARTITION_ID_SELF, VP_INDEX_SELF, InputVtl
from engine.abi.tlfs.status import HvStatus
from engine.vsm.layout import of_bits
from engine.vsm.view import Caller, View


def has_privileges(view: View, mask: int) -> bool:
    return view.partition.privileges & mask == mask


def is_self(partition_id: int) -> bool:
    """There is one partition; its guest does not know its number, only this."""
    return partition_id == PARTITION_ID_SELF


def processor(caller: Caller, view: View, vp_index: int) -> int | None:
    """The index of the processor; None: there is none with that number."""
    index = caller.vp if vp_index == VP_INDEX_SELF else vp_index
    return index if index < len(view.partition.vps) else None


def input_vtl(raw: int, default: int) -> int | HvStatus:
    """HV_INPUT_VTL: its VTL, or `default` where it names none."""
    found = of_bits(InputVtl, raw)
    if found.reserved:
        return HvStatus.INVALID_PARAMETER
    return found.target_vtl if found.use_target_vtl else default


def is_zero(reserved: object) -> bool:
    """A RsvdZ field of a layout."""
    return not any(bytes(reserved))  # type: ignore[call-overload]


def visible_vtl(caller: Caller, view: View, vp: int, vtl: int) -> HvStatus:
    """Whether the caller may look into a VTL of a processor; the more secure answer first (TLFS, Ordering of Error
    Conditions)."""
    if vtl > caller.vtl:
        return HvStatus.ACCESS_DENIED
    if not view.partition.vps[vp].vtls[vtl].enabled:
        return HvStatus.INVALID_VTL_STATE
    return HvStatus.SUCCESS

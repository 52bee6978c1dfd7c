"""The registers that VSM itself keeps: how each is read and written, as a table."""

from functools import partial

from engine.abi.tlfs import interface, registers
from engine.abi.tlfs.registers import RegisterName
from engine.abi.tlfs.status import HvStatus
from engine.abi.tlfs.synic import VECTORS
from engine.model.rights import Rights, is_valid_mask
from engine.vsm import effects
from engine.vsm.layout import bits, of_bits
from engine.vsm.pending_event import pending, set_pending
from engine.vsm.protection import is_own, mbec_active
from engine.vsm.register_rule import Changes, Rule
from engine.vsm.synic_registers import SYNIC_RULES
from engine.vsm.view import View

_BAD = HvStatus.INVALID_REGISTER_VALUE
_CONFIG_BITS = 0x7F
"""EnableVtlProtection to DenyLowerVtlStartup. The intercepts, from bit 7 on, are not modelled: refused, not ignored."""


def _code_page_offsets(view: View, vp: int, vtl: int) -> int:
    call, back = view.partition.code_page_offsets
    return bits(registers.VsmCodePageOffsets, vtl_call=call, vtl_return=back)


def _set_of(vtls: list[int]) -> int:
    return sum(1 << vtl for vtl in vtls)


def _vp_status(view: View, vp: int, vtl: int) -> int:
    state = view.partition.vps[vp]
    return bits(
        registers.VsmVpStatus,
        active_vtl=state.active_vtl,
        active_mbec=mbec_active(view, vp, state.active_vtl),
        enabled_vtls=_set_of(state.enabled_vtls),
    )


def _partition_status(view: View, vp: int, vtl: int) -> int:
    partition = view.partition
    return bits(
        registers.VsmPartitionStatus,
        enabled_vtls=_set_of(partition.enabled_vtls),
        maximum_vtl=partition.maximum_vtl,
        mbec_vtls=_set_of([number for number, state in enumerate(partition.vtls) if state.mbec]),
    )


def _capabilities(view: View, vp: int, vtl: int) -> int:
    low_first = view.profile.capabilities_low_first
    layout = registers.VsmCapabilitiesLowFirst if low_first else registers.VsmCapabilitiesHighFirst
    capable = range(1, view.partition.maximum_vtl + 1) if view.partition.mbec_capable else ()
    return bits(
        layout,
        dr6_shared=view.partition.dr6_shared,
        mbec_vtls=_set_of(list(capable)),
        deny_lower_vtl_startup=1,
    )


def _config(view: View, vp: int, vtl: int) -> int | HvStatus:
    # "There is one instance of this register for each VTL (greater than 0)" (Partition Configuration).
    return view.partition.vtls[vtl].config if vtl else HvStatus.INVALID_PARAMETER


def _set_config(view: View, vp: int, vtl: int, value: int) -> Changes | HvStatus:
    """The order is openvmm's; so is that a default mask must leave R and W."""
    if vtl == 0:
        return HvStatus.INVALID_PARAMETER
    if value & ~_CONFIG_BITS:
        return _BAD
    state, new = view.partition.vtls[vtl], of_bits(registers.VsmPartitionConfig, value)
    rights = Rights(new.default_vtl_protection_mask)
    if Rights.RW not in rights or not is_valid_mask(rights, state.mbec):
        return _BAD
    # Write once, and the mask "cannot be changed once it is set" (Default Protection Mask).
    if state.protects and (not new.enable_vtl_protection or rights != state.default_mask):
        return _BAD
    changes: Changes = (effects.SetPartitionConfig(vtl, value),)
    if new.enable_vtl_protection and not state.protects:
        changes += (effects.SetDefaultMask(vtl, rights),)
    return changes


def _secure(lower: int, view: View, vp: int, vtl: int) -> int | HvStatus:
    # "Each VTL (higher than 0) has an instance of this register for every VTL lower than itself."
    return view.partition.vps[vp].vtls[vtl].secure[lower] if lower < vtl else HvStatus.INVALID_PARAMETER


def _set_secure(lower: int, view: View, vp: int, vtl: int, value: int) -> Changes | HvStatus:
    if lower >= vtl:
        return HvStatus.INVALID_PARAMETER
    new = of_bits(registers.VsmVpSecureConfig, value)
    # MBEC "must be enabled at two levels", the partition's first (MBEC configuration).
    if new.reserved or (new.mbec_enabled and not view.partition.vtls[vtl].mbec):
        return _BAD
    return (effects.SetSecureConfig(vp, vtl, lower, value),)


def _tlb_wait(view: View, vp: int, vtl: int) -> int:
    return bool([holder for target, holder in view.partition.vps[vp].awaited if target == vtl])


def _set_tlb_wait(view: View, vp: int, vtl: int, value: int) -> Changes | HvStatus:
    """Bit 0 asks for it; that it cannot be taken back is ours (the register is in hvdef, not in TLFS)."""
    holders = view.partition.holders(vp, vtl)
    if value not in (0, 1):
        return _BAD
    return (effects.AwaitTlbLocks(vp, vtl, holders),) if value and holders else ()


def _vina(view: View, vp: int, vtl: int) -> int:
    return view.partition.vps[vp].vtls[vtl].vina


def _set_vina(view: View, vp: int, vtl: int, value: int) -> Changes | HvStatus:
    """TLFS has no rule for the vector; one that no interrupt has could not be delivered."""
    new = of_bits(registers.VsmVina, value)
    if new.enabled and new.vector not in VECTORS:
        return _BAD
    return (effects.SetVina(vp, vtl, value),)


def _assist_page(view: View, vp: int, vtl: int) -> int:
    return view.partition.vps[vp].vtls[vtl].assist_page


def _set_assist_page(view: View, vp: int, vtl: int, value: int) -> Changes | HvStatus:
    gfn = value >> 12
    if value & interface.VP_ASSIST_ENABLE and not (view.partition.is_gfn(gfn) and is_own(view, vtl, gfn)):
        return _BAD
    return (effects.SetAssistPage(vp, vtl, value),)


def _guest_os_id(view: View, vp: int, vtl: int) -> int:
    return view.partition.vtls[vtl].guest_os_id


def _set_guest_os_id(view: View, vp: int, vtl: int, value: int) -> Changes:
    """ "If this register is subsequently zeroed, the hypercall code page will be disabled" (Reporting the Guest OS
    Identity)."""
    changes: Changes = (effects.SetGuestOsId(vtl, value),)
    page = view.partition.vtls[vtl].hypercall
    if value == 0 and page & interface.HYPERCALL_ENABLE:
        changes += (effects.SetHypercall(vtl, page & ~interface.HYPERCALL_ENABLE),)
    return changes


def _hypercall(view: View, vp: int, vtl: int) -> int:
    return view.partition.vtls[vtl].hypercall


def _set_hypercall(view: View, vp: int, vtl: int, value: int) -> Changes | HvStatus:
    """Locked: immutable. Without a guest OS id, "the enable bit will remain zero even if a one is written to it"
    (Establishing the Hypercall Interface)."""
    state = view.partition.vtls[vtl]
    if state.hypercall & interface.HYPERCALL_LOCKED:
        return HvStatus.ACCESS_DENIED
    if value & interface.HYPERCALL_ENABLE and not view.partition.is_gfn(value >> 12):
        return _BAD
    if not state.guest_os_id:
        value &= ~interface.HYPERCALL_ENABLE
    return (effects.SetHypercall(vtl, value),)


def _maximum_vtl(view: View, vp: int, vtl: int) -> int:
    return view.partition.maximum_vtl


def _vp_index(view: View, vp: int, vtl: int) -> int:
    return vp


RULES: dict[int, Rule] = (
    SYNIC_RULES
    | {
        RegisterName.PENDING_EVENT0: Rule(pending, set_pending),
        RegisterName.HYPERCALL: Rule(_hypercall, _set_hypercall),
        RegisterName.GUEST_OS_ID: Rule(_guest_os_id, _set_guest_os_id),
        RegisterName.VP_INDEX: Rule(_vp_index),
        RegisterName.VP_ASSIST_PAGE: Rule(_assist_page, _set_assist_page),
        RegisterName.VSM_CODE_PAGE_OFFSETS: Rule(_code_page_offsets),
        RegisterName.VSM_VP_STATUS: Rule(_vp_status),
        RegisterName.VSM_PARTITION_STATUS: Rule(_partition_status),
        RegisterName.VSM_VINA: Rule(_vina, _set_vina),
        RegisterName.VSM_VP_WAIT_FOR_TLB_LOCK: Rule(_tlb_wait, _set_tlb_wait),
        RegisterName.VSM_CAPABILITIES: Rule(_capabilities),
        RegisterName.VSM_PARTITION_CONFIG: Rule(_config, _set_config),
        RegisterName.GUEST_VSM_PARTITION_CONFIG: Rule(_maximum_vtl),
    }
    | {
        RegisterName.VSM_VP_SECURE_CONFIG_VTL0 + lower: Rule(partial(_secure, lower), partial(_set_secure, lower))
        for lower in range(interface.MAX_VTLS - 1)
    }
)
"""By name. The VTL that each function gets is the one whose instance of the register is meant."""

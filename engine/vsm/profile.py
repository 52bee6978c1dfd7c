"""Where the sources disagree: one named choice each. docs/vtl.md lists them for readers."""

import msgspec

from engine.abi.tlfs.interface import MAX_REPS
from engine.abi.tlfs.status import HvStatus


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """How a hypervisor that calls itself Hyper-V reads the specification."""

    name: str
    target_is_imposer: bool
    """ModifyVtlProtectionMask's TargetVtl is the VTL whose protections change (the one that imposes them), not the
    lower VTL that they restrict."""
    capabilities_low_first: bool
    """VsmCapabilities has its fields from bit 0 up, not from bit 63 down."""
    bad_mask: HvStatus
    """For a protection mask that is not allowed."""
    strict_execute: bool
    """Without MBEC, a mask whose KX and UX differ is refused; otherwise UX is ignored and KX governs both."""
    not_ram: HvStatus
    """For protections on pages that are no RAM."""
    all_pages_first: bool
    """All pages are validated before any is changed: an error has no reps done."""
    zero_reps: HvStatus
    """For a rep call with a rep count of zero."""
    foreign_partition: HvStatus
    """For a partition that is not HV_PARTITION_ID_SELF, in calls on masks and registers."""
    page_crossing: HvStatus
    """For a parameter list that spans pages."""
    padded_index: bool
    """The elements of GetVpIndexFromApicId are 8 bytes, not 4."""
    vtl0_enable: HvStatus
    """For EnablePartitionVtl of VTL0."""
    long_intercept: bool
    """A memory intercept has the registers too: 0xF0 bytes of payload, not 0x50."""
    reps_at_once: int
    """A rep call returns to the guest after so many, to be continued."""


TLFS = Profile(
    name="tlfs",
    # "A VTL can only place protections on a lower VTL" (HvCallModifyVtlProtectionMask).
    target_is_imposer=False,
    # The table in Virtual Secure Mode, VSM Capability Detection.
    capabilities_low_first=False,
    # Not specified; the call's one documented error.
    bad_mask=HvStatus.INVALID_PARAMETER,
    # "If MBEC is disabled, this setting is ignored" (Mode Based Execute Control).
    strict_execute=False,
    not_ram=HvStatus.INVALID_PARAMETER,
    # "A rep hypercall performs multiple, independent atomic actions" (Hypercall Atomicity and Ordering).
    all_pages_first=False,
    # "a zero rep count is passed to a rep call" (Common Hypercall Status Codes).
    zero_reps=HvStatus.INVALID_HYPERCALL_INPUT,
    foreign_partition=HvStatus.INVALID_PARTITION_ID,
    # "The specified input or output parameter lists spans pages" (Common Hypercall Status Codes).
    page_crossing=HvStatus.INVALID_ALIGNMENT,
    # The element tables of HvCallGetVpIndexFromApicId.
    padded_index=True,
    # Not specified; what the kvm-unit-tests for VSM expect.
    vtl0_enable=HvStatus.INVALID_PARAMETER,
    # HV_X64_MEMORY_INTERCEPT_MESSAGE of the QEMU VSM branch and TLFS.
    long_intercept=True,
    # TLFS gives a time, 50 us (Hypercall Continuation), not a number. Ours, so that a call of a full page is continued.
    reps_at_once=64,
)

OPENVMM = Profile(
    name="openvmm",
    # hardware_cvm/mod.rs: target VTL 0 is INVALID_PARAMETER, the default is the caller.
    target_is_imposer=True,
    # hvdef, HvRegisterVsmCapabilities, and hvgdk_mini.h.
    capabilities_low_first=True,
    # validate_vtl_gpa_flags.
    bad_mask=HvStatus.INVALID_REGISTER_VALUE,
    strict_execute=True,
    # hardware_cvm/mod.rs: non-RAM, overlay, host-visible or locked pages; validated before any is applied.
    not_ram=HvStatus.OPERATION_DENIED,
    all_pages_first=True,
    # hv1_hypercall/support.rs has what TLFS says.
    zero_reps=HvStatus.INVALID_HYPERCALL_INPUT,
    foreign_partition=HvStatus.ACCESS_DENIED,
    # hv1_hypercall/support.rs, HypercallParseError::Straddle.
    page_crossing=HvStatus.INVALID_HYPERCALL_INPUT,
    # hvdef, and hv_vtl.c of Linux.
    padded_index=False,
    vtl0_enable=HvStatus.ACCESS_DENIED,
    # hvdef, X64MemoryInterceptMessage.
    long_intercept=False,
    # Its handlers go on to the end of the list.
    reps_at_once=MAX_REPS,
)

KUT_VSM = msgspec.structs.replace(
    TLFS,
    name="kut-vsm",
    # The kvm-unit-tests for VSM expect HvCallGetVpRegisters of no registers to succeed, against TLFS.
    zero_reps=HvStatus.SUCCESS,
)

PROFILES = {profile.name: profile for profile in (TLFS, OPENVMM, KUT_VSM)}
"""By name; `tlfs` is the default."""

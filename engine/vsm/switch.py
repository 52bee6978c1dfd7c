"""VTL call, VTL return and what else makes a processor enter a VTL (TLFS, VTL Entry and VTL Exit)."""

import msgspec

from engine.abi.tlfs.interface import PAGE_SIZE, VtlReturnInput
from engine.abi.tlfs.processor import EntryReason, VpAssistPage, VtlControl
from engine.abi.tlfs.registers import RegisterName as Name
from engine.abi.tlfs.registers import VsmVina
from engine.vsm.apply import unlocked
from engine.vsm.effects import AnyEffect, SetSecureConfig, SwitchVtl, WriteMemory
from engine.vsm.layout import of_bits
from engine.vsm.parameters import Undefined
from engine.vsm.state import PartitionState
from engine.vsm.view import Caller

_CONTROL: int = VpAssistPage.vtl_control.offset
_REASON: int = _CONTROL + VtlControl.entry_reason.offset
VINA: int = _REASON + 4
ASSERTED = b"\x01"
"""Of the assist page's VinaStatus."""
_RETURN: int = _CONTROL + VtlControl.return_rax.offset
_TLB_LOCKED = 0b10

PRIVATE = (
    Name.RIP, Name.RSP, Name.RFLAGS, Name.CR0, Name.CR3, Name.CR4, Name.CR8, Name.DR7, Name.IDTR, Name.GDTR,
    Name.CS, Name.DS, Name.ES, Name.FS, Name.GS, Name.SS, Name.TR, Name.LDTR,
    Name.EFER, Name.PAT, Name.KERNEL_GS_BASE, Name.APIC_BASE, Name.SYSENTER_CS, Name.SYSENTER_EIP, Name.SYSENTER_ESP,
    Name.STAR, Name.LSTAR, Name.CSTAR, Name.SFMASK, Name.TPR,
    Name.HYPERCALL, Name.GUEST_OS_ID, Name.VP_ASSIST_PAGE,
)  # fmt: skip
"""Each VTL has its own (TLFS, Private State), of the registers that are named here; the TSC offset, TSC_AUX, the SynIC
and the synthetic timers are private too."""
SHARED = (
    Name.RAX, Name.RBX, Name.RCX, Name.RDX, Name.RSI, Name.RDI, Name.RBP, Name.R8, Name.R9, Name.R10, Name.R11,
    Name.R12, Name.R13, Name.R14, Name.R15, Name.CR2, Name.VP_INDEX,
)  # fmt: skip
"""One for all VTLs (TLFS, Shared State), besides DR0 to DR5, x87, XMM, AVX, XCR0 and the MTRRs; DR6 by capability."""


class Switched(msgspec.Struct, frozen=True, kw_only=True):
    """The processor is in `to_vtl` now."""

    from_vtl: int
    to_vtl: int
    reason: EntryReason | None = None
    """Of an entry; None for a return."""
    restore: int | None = None
    """gpa of RAX and RCX, u64 each, that the lower VTL gets back; None: both stay (fast return, or no assist page)."""
    effects: tuple[AnyEffect, ...]


def vtl_call(caller: Caller, partition: PartitionState, control: int) -> Switched | Undefined:
    """Into the next higher VTL that is enabled on the processor; none can be skipped. All of `control` is reserved."""
    # The conditions for #UD, as in VTL Call Restrictions.
    if caller.cpl or caller.real_mode or control:
        return Undefined()
    higher = [vtl for vtl in partition.vps[caller.vp].enabled_vtls if vtl > caller.vtl]
    if not higher:
        return Undefined()
    return enter(partition, caller.vp, min(higher), EntryReason.VTL_CALL)


def vtl_return(caller: Caller, partition: PartitionState, control: int) -> Switched | Undefined:
    """Into the VTL that it was entered from, or that has been entered since; the TLB locks that the VTL holds are
    released. TLFS has "a lower VTL" and two of them: which one of more is ours."""
    state = partition.vps[caller.vp]
    lower = state.below(caller.vtl)
    given = of_bits(VtlReturnInput, control)
    # The conditions for #UD, as in VTL Return.
    if caller.cpl or caller.real_mode or given.reserved or lower is None:
        return Undefined()
    own = state.vtls[caller.vtl]
    freed = [
        SetSecureConfig(caller.vp, caller.vtl, below, own.secure[below] & ~_TLB_LOCKED)
        for below in unlocked(state, caller.vtl)
    ]
    page = None if given.fast else own.assist_gfn
    return Switched(
        from_vtl=caller.vtl,
        to_vtl=lower,
        restore=None if page is None else page * PAGE_SIZE + _RETURN,
        effects=(*freed, SwitchVtl(caller.vp, lower)),
    )


def enter(partition: PartitionState, vp: int, vtl: int, reason: EntryReason) -> Switched:
    """A VTL entry for any reason: the VTL's assist page says why, and VINA is reset where that is automatic."""
    state = partition.vps[vp]
    own = state.vtls[vtl]
    effects: list[AnyEffect] = [SwitchVtl(vp, vtl)]
    if own.assist_gfn is not None:
        page = own.assist_gfn * PAGE_SIZE
        effects.append(WriteMemory(page + _REASON, reason.to_bytes(4, "little"), vtl))
        # "cleared on the next entry to the VTL" (Virtual Interrupt Notification Assist).
        if of_bits(VsmVina, own.vina).auto_reset:
            effects.append(WriteMemory(page + VINA, b"\x00", vtl))
    return Switched(from_vtl=state.active_vtl, to_vtl=vtl, reason=reason, effects=tuple(effects))

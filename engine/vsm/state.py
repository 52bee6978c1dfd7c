"""The VSM state of a partition and its virtual processors (TLFS, Virtual Secure Mode); a change makes a new value."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from engine.abi.tlfs import interface
from engine.abi.tlfs.registers import VsmPartitionConfig, VsmVpSecureConfig
from engine.model.rights import Rights
from engine.vsm.layout import bits, of_bits
from engine.vsm.synic_state import Synic

_Value = TypeVar("_Value")
RESET_CONFIG = bits(VsmPartitionConfig, default_vtl_protection_mask=int(Rights.RWX), zero_memory_on_reset=1)
"""VsmPartitionConfig at reset: all pages RWX, memory zeroed on reset (TLFS, Partition Configuration)."""
ALL_PRIVILEGES = (
    interface.PRIVILEGE_ACCESS_SYNIC_REGS
    | interface.PRIVILEGE_ACCESS_HYPERCALL_MSRS
    | interface.PRIVILEGE_ACCESS_VP_INDEX
    | interface.PRIVILEGE_POST_MESSAGES
    | interface.PRIVILEGE_SIGNAL_EVENTS
    | interface.PRIVILEGE_ACCESS_VSM
    | interface.PRIVILEGE_ACCESS_VP_REGISTERS
    | interface.PRIVILEGE_START_VIRTUAL_PROCESSOR
)


class PartitionVtl(msgspec.Struct, frozen=True, kw_only=True):
    """What the partition has once for each VTL."""

    enabled: bool = False
    mbec: bool = False
    """Enabled with EnableMbec: this VTL may tell kernel from user execute in what it sets."""
    config: int = RESET_CONFIG
    """VsmPartitionConfig; meaningless for VTL0."""
    guest_os_id: int = 0
    hypercall: int = 0
    """HV_X64_MSR_HYPERCALL."""

    @property
    def protects(self) -> bool:
        """EnableVtlProtection is set."""
        return bool(of_bits(VsmPartitionConfig, self.config).enable_vtl_protection)

    @property
    def default_mask(self) -> Rights:
        """The rights that lower VTLs have to a page before any call of this VTL."""
        return Rights(of_bits(VsmPartitionConfig, self.config).default_vtl_protection_mask)

    @property
    def hypercall_page(self) -> int | None:
        """gfn of the hypercall page, None where it is not enabled."""
        return self.hypercall >> 12 if self.hypercall & interface.HYPERCALL_ENABLE else None


class VpVtl(msgspec.Struct, frozen=True, kw_only=True):
    """What a virtual processor has once for each VTL, as far as VSM goes."""

    enabled: bool = False
    pending_event: int = 0
    """HvRegisterPendingEvent0, 128 bits."""
    requested: frozenset[int] = frozenset()
    """Vectors of interrupts that wait: the request register of this VTL's interrupt controller."""
    vina: int = 0
    """HvRegisterVsmVina."""
    assist_page: int = 0
    """HV_X64_MSR_VP_ASSIST_PAGE."""
    synic: Synic = Synic()
    secure: tuple[int, ...] = (0,) * interface.MAX_VTLS
    """VsmVpSecureConfig that this VTL has for each VTL below it."""

    @property
    def assist_gfn(self) -> int | None:
        return self.assist_page >> 12 if self.assist_page & interface.VP_ASSIST_ENABLE else None


class VpState(msgspec.Struct, frozen=True, kw_only=True):
    """A virtual processor."""

    apic_id: int
    started: bool = False
    active_vtl: int = 0
    entered: frozenset[int] = frozenset()
    """VTLs that have been entered and have not returned, the active one included."""
    awaited: frozenset[tuple[int, int]] = frozenset()
    """(VTL, processor): the VTL goes on once that processor has no TLB lock for it any more."""
    vtls: tuple[VpVtl, ...] = (VpVtl(enabled=True), *(VpVtl(),) * (interface.MAX_VTLS - 1))

    @property
    def enabled_vtls(self) -> list[int]:
        return [vtl for vtl, state in enumerate(self.vtls) if state.enabled]

    def below(self, vtl: int) -> int | None:
        """Where a return from `vtl` leads: to the highest that has not returned itself; the lowest one never does."""
        lower = [one for one in self.enabled_vtls if one < vtl]
        return max([one for one in lower if one in self.entered], default=min(lower, default=None))

    @property
    def waits_for(self) -> list[int]:
        """The processors whose TLB lock keeps it from going on, ascending."""
        return sorted(vp for vtl, vp in self.awaited if vtl == self.active_vtl)

    @property
    def asked_above(self) -> bool:
        """An interrupt waits for a VTL above the active one."""
        return any(own.enabled and own.requested for own in self.vtls[self.active_vtl + 1 :])

    def mbec_active(self, vtl: int) -> bool:
        """A higher VTL has MBEC enabled for `vtl`."""
        return any(of_bits(VsmVpSecureConfig, holder.secure[vtl]).mbec_enabled for holder in self.vtls[vtl + 1 :])

    def tlb_locked(self, vtl: int) -> bool:
        """A higher VTL holds the TLB of `vtl` locked."""
        return any(of_bits(VsmVpSecureConfig, holder.secure[vtl]).tlb_locked for holder in self.vtls[vtl + 1 :])


class PartitionState(msgspec.Struct, frozen=True, kw_only=True):
    """A partition: begins in VTL0 with all other VTLs disabled (TLFS, Partition VTL Initial state)."""

    vps: tuple[VpState, ...]
    maximum_vtl: int = 1
    mbec_capable: bool = False
    dr6_shared: bool = False
    code_page_offsets: tuple[int, int] = (0, 0)
    """Of the VTL call and the VTL return sequence in the hypercall page."""
    gpa_width: int = 52
    xmm_input: bool = True
    """Hypercall input in XMM registers is offered (CPUID 0x40000003, EDX bit 4)."""
    xmm_output: bool = True
    """And output (EDX bit 15)."""
    privileges: int = ALL_PRIVILEGES
    vtls: tuple[PartitionVtl, ...] = (
        PartitionVtl(enabled=True),
        *(PartitionVtl(),) * (interface.MAX_VTLS - 1),
    )

    @property
    def enabled_vtls(self) -> list[int]:
        return [vtl for vtl, state in enumerate(self.vtls) if state.enabled]

    def holders(self, vp: int, vtl: int) -> tuple[int, ...]:
        """The processors other than `vp` on which the TLB of `vtl` is locked."""
        return tuple(at for at, other in enumerate(self.vps) if at != vp and other.tlb_locked(vtl))

    def is_gfn(self, gfn: int) -> bool:
        """Within the GPA space."""
        return gfn < 1 << (self.gpa_width - 12)

    def with_vtl(self, vtl: int, change: Callable[[PartitionVtl], PartitionVtl]) -> "PartitionState":
        return msgspec.structs.replace(self, vtls=_at(self.vtls, vtl, change(self.vtls[vtl])))

    def with_vp(self, vp: int, change: Callable[[VpState], VpState]) -> "PartitionState":
        return msgspec.structs.replace(self, vps=_at(self.vps, vp, change(self.vps[vp])))

    def with_vp_vtl(self, vp: int, vtl: int, change: Callable[[VpVtl], VpVtl]) -> "PartitionState":
        def changed(state: VpState) -> VpState:
            return msgspec.structs.replace(state, vtls=_at(state.vtls, vtl, change(state.vtls[vtl])))

        return self.with_vp(vp, changed)


def new_partition(vps: int, maximum_vtl: int = 1, mbec_capable: bool = False) -> PartitionState:
    """`vps` processors with APIC ids 0, 1, 2, ...; the first is started."""
    processors = tuple(VpState(apic_id=index, started=index == 0) for index in range(vps))
    return PartitionState(vps=processors, maximum_vtl=maximum_vtl, mbec_capable=mbec_capable)


def _at(values: tuple[_Value, ...], at: int, value: _Value) -> tuple[_Value, ...]:
    return (*values[:at], value, *values[at + 1 :])

"""What only some hosts can do: small protocols, had by `vm.extension(X)` or Unsupported with the reason.

The first five are in no kernel: they are what has been proposed on the lists, with semantics, errnos and limits of our
own choosing where the proposals leave them open (docs/proposals.md). Only the simulator has them.
"""

from enum import IntFlag
from typing import Protocol

from engine.model.address import PageRange
from engine.model.memslot import Memslot
from engine.model.page_set import PageSet
from engine.model.rights import Rights


class PermissionBitmap(Protocol):
    """KVM_SET_MEMORY_REGION_PERM (kernel list, October 2022): R, W and X of every guest page, for all VTLs of the vm.

    It binds what vCPUs do in KVM_RUN and nobody else: a denied access is a ProtectionExit, the VMM's writes pass. What
    a vCPU may do is what its VTL's mask, permissions and attributes all leave.
    """

    def set_permissions(self, pages: PageRange | PageSet, rights: Rights) -> None:
        """All or none; whether or not a slot is there now. X alone is allowed, as in an EPT. EINVAL: W without R, KX
        without UX or the reverse, or pages beyond what a mask can be put on."""
        ...

    def permissions(self, gfn: int) -> Rights:
        """RWX where none were set."""
        ...


class Attribute(IntFlag):
    """Bits of KVM_SET_MEMORY_ATTRIBUTES as posted in June 2024: what is taken away. PRIVATE (8, the only one that was
    merged) needs guest_memfd, which no vm here has."""

    NR = 1
    NW = 2
    NX = 4


class MemoryAttributes(Protocol):
    """R, W, X attributes by KVM_SET_MEMORY_ATTRIBUTES (kernel list, June 2024): negated, so that 0 is unrestricted."""

    def set_memory_attributes(self, address: int, size: int, attributes: int, flags: int = 0) -> None:
        """For all VTLs of the vm; no slot need be there. They are not looked at where an access is no memory access:
        in the void, and for stores to READONLY slots. EINVAL: flags, an unknown attribute, one that leaves W or X
        without R, size 0, not page aligned, wraps, or ends beyond what a mask can be put on."""
        ...

    def memory_attributes(self, gfn: int) -> int:
        """0 where none were set."""
        ...


class KickAll(Protocol):
    """KVM_KICK_ALL_RUNNING_VCPUS and KVM_RESUME_ALL_KICKED_VCPUS (kernel list, October 2022)."""

    def kick_all(self) -> None:
        """Every vCPU is out of the guest when this returns, and each run returns Interrupted at once until resume_all;
        an exit that came before the kick is told first. vCPUs made meanwhile are kicked, too. From any thread but one
        that is in run. EBUSY: already kicked."""
        ...

    def resume_all(self) -> None:
        """From any thread. EINVAL: not kicked."""
        ...


class AtomicRegions(Protocol):
    """KVM_SET_USER_MEMORY_REGION_LIST (kernel list, September 2022): many changes to memslots in one step."""

    def set_memory_regions(self, regions: tuple[Memslot, ...]) -> None:
        """In order, each as Vm.set_memory_region, but seen by vCPUs all at once; when one is refused, with its errno,
        none happens, and logs are as before. A slot may be deleted and another put in its place; an order in which
        slots overlap on the way is EEXIST. EINVAL: none given; E2BIG: more than 64."""
        ...


class AtomicHarvest(Protocol):
    """The dirty log read and the slot deleted in one step, so that no write falls between (the gap that the kernel list
    named in October 2022)."""

    def get_dirty_log_and_delete(self, slot: int) -> bytes:
        """The bitmap as Vm.get_dirty_log; the slot is gone. Errnos of both calls; on an error neither happens."""
        ...


class Snapshot(Protocol):
    """A whole machine as it was, opaque; kept for as long as it is referred to."""


class Snapshots(Protocol):
    """Registers, slots, masks, dirty state and RAM, kept by the pages that changed."""

    def take(self) -> Snapshot:
        """Costs by what has been written since the last one, not by the guest's size."""
        ...

    def restore(self, snapshot: Snapshot) -> None:
        """Any one of this vm's, older or newer, as often as wanted. EINVAL: another vm's, or one with other vCPUs."""
        ...


class Statistics(Protocol):
    """The kernel's own counters (KVM_GET_STATS_FD, api.rst 4.133), by its names; the simulator counts those that mean
    something there."""

    def of_vm(self) -> dict[str, int]:
        """Together, where a VTL is a VM of its own: sums, and of peaks the highest. Counts only, no histograms."""
        ...

    def of_vcpu(self, index: int) -> dict[str, int]:
        """Likewise. EINVAL: no such vCPU."""
        ...


class ModeBasedExecution(Protocol):
    """Execute rights of ring 3 apart from those of ring 0 (TLFS, Mode Based Execute Control)."""

    def set_mbec(self, vcpu: int, vtl: int, on: bool) -> None:
        """From now on ring 3 of the VTL, on this vCPU, executes by the right UX; off, as from the start, KX governs all
        rings. EINVAL: no such vCPU or VTL."""
        ...


class KernelHyperV(Protocol):
    """KVM's own Hyper-V (CONFIG_KVM_HYPERV, KVM_CAP_HYPERV_SYNIC2): the kernel has the CPUID leaves and the synthetic
    registers, fills the hypercall page and serves most calls."""

    def enable(self) -> None:
        """For all vCPUs made from now on. A call that the kernel leaves to the VMM, PostMessage for one, is a
        HypercallExit: Complete with the 8 bytes of RAX. What the guest does to its SynIC is told by a SynicExit. The
        local APIC is the kernel's as well, so HLT does not exit: it waits there for an interrupt, or a kick. Each VTL
        is a partition of its own. Together with enable_msr_exits the registers exit, and the kernel sees none of it.
        EEXIST: it is on already, or there is a vCPU."""
        ...


EXTENSIONS: tuple[type, ...] = (
    PermissionBitmap,
    MemoryAttributes,
    KickAll,
    AtomicRegions,
    AtomicHarvest,
    Snapshots,
    Statistics,
    ModeBasedExecution,
    KernelHyperV,
)

"""The VSM side of a machine: the state that hypercalls see and change, and each VTL's own registers."""

from collections.abc import Collection

import msgspec
from msgspec.structs import replace

from engine.abi.tlfs.interface import HYPERCALL_ENABLE
from engine.hypervisor.contract.protocols import Vcpu, Vm
from engine.machine.hypercall_pages import HypercallPages
from engine.machine.vsm_masks import VtlMasks
from engine.model.layout import HYPERCALL_PAGE, VTL_CALL_OFFSET, VTL_RETURN_OFFSET
from engine.model.registers import Registers
from engine.vsm.call import Call
from engine.vsm.calls.table import calls
from engine.vsm.profile import PROFILES, Profile
from engine.vsm.state import PartitionState, new_partition

FIRMWARE = 1 << 63
"""A guest OS id: open source, and of no system that has a number (TLFS, Reporting the Guest OS Identity)."""


class Private(msgspec.Struct, frozen=True, gc=False):
    """The general registers that a VTL does not share; system registers the vm keeps for each VTL itself."""

    rip: int
    rsp: int
    rflags: int

    @classmethod
    def of(cls, registers: Registers) -> "Private":
        return cls(registers.rip, registers.rsp, registers.rflags)

    def within(self, shared: Registers) -> Registers:
        return replace(shared, rip=self.rip, rsp=self.rsp, rflags=self.rflags)


class Vsm:
    """State of one run; all of it changes under the machine's lock."""

    def __init__(
        self, vm: Vm, vcpus: list[Vcpu], profile: str, highest: int = 1, waiting: Collection[int] = ()
    ) -> None:
        """`highest` VTL of the vm; `waiting`: the vCPUs that StartVirtualProcessor has to start."""
        self.profile: Profile = PROFILES[profile]
        self.calls: dict[int, Call] = calls(self.profile)
        self.partition = _partition(new_partition(len(vcpus), highest, vm.capabilities.mbec), vcpus, waiting)
        self.masks = VtlMasks(highest)
        self.private: dict[tuple[int, int], Private] = {}
        """By vCPU and VTL: what a VTL that is not active goes on with."""
        self.pages = HypercallPages()
        self.due: set[int] = set()
        """vCPUs for which something may wait (vsm_delivery), to be looked at before they enter the guest."""

    def waits(self, vp: int) -> str:
        """What for, where the processor cannot go on by itself; else empty."""
        state = self.partition.vps[vp]
        if not state.started:
            return "for StartVirtualProcessor"
        if not state.waits_for or (vp in self.due and state.asked_above):
            return ""
        return f"for vCPU {state.waits_for[0]} to unlock its TLB"


def _partition(state: PartitionState, vcpus: list[Vcpu], waiting: Collection[int]) -> PartitionState:
    """Processors run from the start, unless the scenario has them wait. One that it puts into VTL1 has that enabled,
    for the partition too, and no VTL0 to return to: there it has no context.

    Every VTL begins with an identity and
    a hypercall page, as if firmware had run; a guest that is given one need not place it (TLFS, Establishing the
    Hypercall Interface, steps 3 and 5).
    """
    state = replace(state, code_page_offsets=(VTL_CALL_OFFSET, VTL_RETURN_OFFSET))
    page = HYPERCALL_PAGE | HYPERCALL_ENABLE
    for vtl in range(state.maximum_vtl + 1):
        state = state.with_vtl(vtl, lambda old: replace(old, guest_os_id=FIRMWARE, hypercall=page))
    for vcpu in vcpus:
        state = state.with_vp(vcpu.index, lambda old, at=vcpu.index: replace(old, started=at not in waiting))
        if vcpu.vtl:
            state = state.with_vtl(vcpu.vtl, lambda old: replace(old, enabled=True))
            state = state.with_vp_vtl(vcpu.index, vcpu.vtl, lambda old: replace(old, enabled=True))
            state = state.with_vp_vtl(vcpu.index, 0, lambda old: replace(old, enabled=False))
            state = state.with_vp(vcpu.index, lambda old, vtl=vcpu.vtl: replace(old, active_vtl=vtl))
    return state

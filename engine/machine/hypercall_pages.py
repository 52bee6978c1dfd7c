"""Hypercall pages where VTLs have placed them: filled by the VMM, and what lay there put back when they go.

TLFS has an overlay, which hides RAM and cannot be written. Here it is the RAM itself, so a VTL may only place its page
where it could have stored these bytes, and where it has lost that right the page stays as it is: else it could change,
through the VMM, what a higher VTL has fenced.
"""

from engine.hypervisor.contract.protocols import Vm
from engine.model.address import PAGE_SHIFT, PAGE_SIZE
from engine.model.layout import HYPERCALL_PAGE
from engine.model.rights import Rights
from engine.vsm.state import PartitionState
from engine.x86.hypercall_page import page_bytes


class HypercallPages:
    """What lies under each, by gfn. There is one from the start, with nothing under it (docs/guest.md)."""

    def __init__(self) -> None:
        self._under: dict[int, bytes] = {HYPERCALL_PAGE >> PAGE_SHIFT: bytes(PAGE_SIZE)}

    def follow(self, vm: Vm, partition: PartitionState, vtl: int) -> None:
        """Bring memory in line with the partition, after a change by `vtl`. A page that two VTLs have placed is there
        as long as either has."""
        wanted = {state.hypercall_page for state in partition.vtls} - {None}
        for gfn in [gfn for gfn in self._under if gfn not in wanted]:
            self._uncover(vm, gfn, vtl)
        for gfn in wanted:
            if gfn is not None and gfn not in self._under:
                self._cover(vm, gfn)

    def _cover(self, vm: Vm, gfn: int) -> None:
        memory, gpa = vm.memory(), gfn << PAGE_SHIFT
        self._under[gfn] = memory.read(gpa, PAGE_SIZE)
        memory.write(gpa, page_bytes())

    def _uncover(self, vm: Vm, gfn: int, vtl: int) -> None:
        under = self._under.pop(gfn)
        if not unplaceable(vm, gfn, vtl):
            vm.memory().write(gfn << PAGE_SHIFT, under)


def unplaceable(vm: Vm, gfn: int, vtl: int) -> str:
    """Why `vtl` cannot have its hypercall page there; empty: it can."""
    slot = next((slot for slot in vm.slots.values() if gfn in slot.pages), None)
    if slot is None:
        return "no slot is there"
    if slot.readonly or vm.mask(vtl, gfn) != Rights.RWX:
        return f"VTL{vtl} has not all rights to that page"
    return ""

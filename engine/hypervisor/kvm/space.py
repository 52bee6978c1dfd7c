"""What a guest's vCPUs and its vm share: RAM, slots, masks, recent changes; and the verdict on an access."""

from enum import Enum, auto
from threading import RLock

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.kvm.changes import Changes
from engine.hypervisor.kvm.dirty import VmmDirty
from engine.hypervisor.kvm.memory import SlotMemory
from engine.hypervisor.kvm.views import Ram
from engine.hypervisor.kvm.vtl import Vtl
from engine.hypervisor.slot_table import SlotTable
from engine.model.address import PAGE_SHIFT
from engine.model.rights import Access


class Verdict(Enum):
    """Why an access could not be finished by the vCPU alone."""

    PROTECTION = auto()
    VOID = auto()
    READONLY = auto()
    PERMITTED = auto()
    """Nothing forbids it, nor did lately: the hypervisor's own doing, to be finished unseen."""


_PROTECTION, _VOID, _READONLY, _PERMITTED = Verdict
_WRITE = Access.WRITE


class GuestSpace:
    """`lock` guards all of it; vCPU threads take it only when an access was denied.

    `copy` is where instructions are tried out; None where the kernel itself tells what they do.
    """

    def __init__(self, device: int, ram: int, vtls: int, tries: bool) -> None:
        self.lock = RLock()
        self.ram = Ram(ram)
        self.slots = SlotTable()
        self.changes = Changes()
        self.dirty = VmmDirty()
        self.vtls = [Vtl(device, self.ram) for _ in range(vtls)]
        self.copy = Vtl(device, self.ram, private=True) if tries else None
        self.memory = SlotMemory(self.ram, self.slots, self.dirty, self.lock)

    def judge(self, vtl: int, gpa: int, access: Access, since: int, masked: bool = True) -> Verdict:
        """Why `access` at `gpa` did not go through, for a vCPU that entered the guest at change `since`.

        `masked` False: as if the masks were lifted, for an access that the VMM has already let pass.
        """
        gfn = gpa >> PAGE_SHIFT
        with self.lock:
            slot = self.slots.at(gpa)
            if slot is None:
                return _VOID
            if masked and not self.vtls[vtl].masks.get(gfn) & int(access.needs):
                return _PROTECTION
            if access is _WRITE and slot.readonly:
                return _READONLY
            if masked and self.changes.denied_since(since, vtl, gfn, access):
                return _PROTECTION
            return _VOID if self.changes.void_since(since, gfn) else _PERMITTED

    def all_vms(self) -> list[Vtl]:
        """Everything that has the guest's slots."""
        return [*self.vtls, self.copy] if self.copy else self.vtls

    def load(self, gpa: int, size: int) -> bytes | None:
        """What RAM holds there; None when some of it is void now."""
        try:
            return self.memory.read(gpa, size)
        except HypervisorError:
            return None

    def store(self, gpa: int, data: bytes) -> bool:
        """Finish a vCPU's store: write it and mark it dirty. False when the page is void or read-only now."""
        with self.lock:
            slot = self.slots.at(gpa)
            if slot is None or slot.readonly:
                return False
            self.memory.write(gpa, data)
            return True

    def rearm(self) -> None:
        """Have the next write to any logged page be told again, for it is not known which have been told."""
        for slot in self.slots.by_id.values():
            if slot.logged:
                for vtl in self.vtls:
                    vtl.rearm(slot)

    def close(self) -> None:
        for vtl in self.all_vms():
            vtl.close()
        self.ram.close()

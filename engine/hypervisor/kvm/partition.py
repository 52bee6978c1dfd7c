"""A guest with all its VTLs on stock KVM: one KVM VM per VTL over the same RAM, slots in common, masks apart."""

import errno
import os
from typing import NoReturn, TypeVar

from engine.hypervisor.contract.capabilities import Capabilities
from engine.hypervisor.contract.errors import HypervisorError, Unsupported, closed
from engine.hypervisor.contract.extensions import KernelHyperV, Statistics
from engine.hypervisor.contract.masks import require_mask, require_vtl
from engine.hypervisor.contract.offer import Offer
from engine.hypervisor.contract.processor import require_vcpu
from engine.hypervisor.kvm import mappings, msr
from engine.hypervisor.kvm.hyperv import KvmHyperV
from engine.hypervisor.kvm.memory import SlotMemory
from engine.hypervisor.kvm.probe import Behaviour
from engine.hypervisor.kvm.space import GuestSpace
from engine.hypervisor.kvm.statistics import KvmStatistics
from engine.hypervisor.kvm.tracking import DirtyTracking
from engine.hypervisor.kvm.vcpu import KvmVcpu
from engine.hypervisor.kvm.vtl import Vtl
from engine.hypervisor.region_rules import CALL as _REGION
from engine.hypervisor.region_rules import check_backing, check_region
from engine.model.address import PAGE_SIZE, PageRange
from engine.model.dirty import DirtyPage, DirtyWay
from engine.model.layout import MAX_RAM
from engine.model.memslot import Memslot
from engine.model.page_set import PageSet
from engine.model.rights import Rights, rights_text

E = TypeVar("E")


class KvmVm:
    """Vm of the contract. Every call is safe while vCPUs run; one lock orders them."""

    def __init__(self, device: int, capabilities: Capabilities, behaviour: Behaviour, ram: int, vtls: int) -> None:
        if ram <= 0 or ram % PAGE_SIZE or ram > MAX_RAM:
            rule = f"a multiple of {PAGE_SIZE:#x} up to {MAX_RAM:#x}"
            raise HypervisorError(errno.EINVAL, "create_vm", "ram", ram, rule)
        if vtls < 1:
            raise HypervisorError(errno.EINVAL, "create_vm", "vtls", vtls, "at least 1")
        self._capabilities = capabilities
        self._behaviour = behaviour
        self._device = os.dup(device)
        self._space = GuestSpace(self._device, ram, vtls, behaviour.denies_whole)
        self._tracking = DirtyTracking(self._space)
        self._vcpus: list[KvmVcpu] = []
        able = {Statistics: KvmStatistics(self._space, self._vcpus), KernelHyperV: KvmHyperV(self._space)}
        had = {kind: one for kind, one in able.items() if kind.__name__ in capabilities.extensions}
        self._offer = Offer(dict(had), capabilities.lacks)

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def slots(self) -> dict[int, Memslot]:
        with self._space.lock:
            return dict(self._space.slots.by_id)

    @property
    def vcpus(self) -> tuple[KvmVcpu, ...]:
        return tuple(self._vcpus)

    @property
    def dirty_way(self) -> DirtyWay:
        return self._tracking.way

    def set_memory_region(self, slot: Memslot) -> None:
        """VTL 0's VM is changed first, then the next; when one refuses, those already changed are changed back."""
        with self._space.lock:
            old = self._space.slots.by_id.get(slot.slot)
            check_backing(slot, self._space.ram.size)
            self._require_open(_REGION)
            if old is None and slot.size:
                mappings.require(self._mappings() + len(self._space.all_vms()), _REGION, "slot", slot.slot)
            self._fan_out(old, slot)
            self._space.slots.put(slot)
            self._space.dirty.slot_changed(old, slot if slot.size else None)
            self._record(old, slot)

    def set_mask(self, vtl: int, pages: PageRange | PageSet, rights: Rights) -> None:
        """An mprotect a run of pages; when one is refused, those before it are undone."""
        require_mask(vtl, len(self._space.vtls), pages, rights)
        if not self._capabilities.enforces(rights):
            raise Unsupported(f"mask {rights_text(rights)}", self._capabilities.mask_reason)
        self._require_open("set_mask")
        with self._space.lock:
            space, span = self._space.vtls[vtl], pages.span
            before = space.masks.copy(span)
            space.masks.set(pages, rights)
            try:
                mappings.require(self._mappings(), "set_mask", "pages", str(span))
                self._protect(space, pages)
            except HypervisorError:
                space.masks.paste(span.first, before)
                self._protect(space, span)
                raise
            self._space.changes.mask_changed(vtl, span.first, before)

    def mask(self, vtl: int, gfn: int) -> Rights:
        with self._space.lock:
            return Rights(self._vtl(vtl, "mask").masks.get(gfn))

    def masks(self, vtl: int, within: PageRange | None = None) -> list[tuple[PageRange, Rights]]:
        with self._space.lock:
            return self._vtl(vtl, "masks").masks.restricted(within)

    def get_dirty_log(self, slot: int) -> bytes:
        return self._tracking.get_log(slot)

    def enable_manual_protect(self, flags: int) -> None:
        self._tracking.enable_manual_protect(flags)

    def clear_dirty_log(self, slot: int, first_page: int, num_pages: int, bitmap: bytes) -> None:
        self._tracking.clear_log(slot, first_page, num_pages, bitmap)

    def enable_dirty_ring(self, size: int) -> None:
        self._tracking.enable_ring(size)

    def reset_dirty_rings(self) -> int:
        return self._tracking.reset_rings()

    def harvest_vmm_writes(self) -> tuple[DirtyPage, ...]:
        return self._tracking.vmm_writes()

    def enable_msr_exits(self) -> None:
        with self._space.lock:
            msr.enable(self._space)

    def extension(self, kind: type[E]) -> E:
        return self._offer.get(kind)

    def memory(self, vtl: int = 0) -> SlotMemory:
        self._vtl(vtl, "memory")
        return self._space.memory

    def ram(self) -> memoryview:
        return self._space.ram.view.toreadonly()

    def create_vcpu(self, index: int, cr3: int) -> KvmVcpu:
        require_vcpu(index, cr3)
        self._require_open("KVM_CREATE_VCPU")
        vcpu = KvmVcpu(self._space, self._behaviour, index, cr3)
        self._vcpus.append(vcpu)
        return vcpu

    def close(self) -> None:
        """No vCPU may be running. Closing twice is harmless."""
        if self._device < 0:
            return
        for vcpu in self._vcpus:
            vcpu.close()
        self._space.close()
        os.close(self._device)
        self._device = -1

    def _fan_out(self, old: Memslot | None, new: Memslot) -> None:
        done: list[Vtl] = []
        try:
            for vtl in self._space.all_vms():
                vtl.change(old, new)
                done.append(vtl)
        except BaseException as error:
            back = old or Memslot(new.slot, new.base, 0, new.offset)
            for vtl in reversed(done):
                vtl.change(new if new.size else None, back)
            if isinstance(error, HypervisorError) and error.call == _REGION:
                self._told(new, error)
            raise

    def _told(self, new: Memslot, error: HypervisorError) -> NoReturn:
        """The kernel's refusal, with the argument and the rule that it does not name."""
        about = "base", new.base, "the slot must end within the guest-physical addresses that this host has"
        try:
            check_region(self._space.slots, new, self._space.ram.size, self._capabilities.max_slots)
        except HypervisorError as rule:
            about = rule.argument, rule.value, rule.rule
        raise HypervisorError(error.errno or 0, _REGION, *about) from error

    def _record(self, old: Memslot | None, new: Memslot) -> None:
        moved = old is not None and old.base != new.base
        if old and (moved or not new.size):
            self._space.changes.slot_absent(old)
        if new.size and (moved or not old):
            self._space.changes.slot_present(new)

    def _protect(self, space: Vtl, pages: PageRange | PageSet) -> None:
        for slot in self._space.slots.within(pages.span):
            space.protect(slot, pages)

    def _mappings(self) -> int:
        """How many there are at most: neighbours that are equal are one."""
        vms = self._space.all_vms()
        return len(self._space.slots.by_id) * len(vms) + sum(vm.masks.edges for vm in vms)

    def _require_open(self, call: str) -> None:
        if self._device < 0:
            raise closed(call)

    def _vtl(self, vtl: int, call: str) -> Vtl:
        require_vtl(call, vtl, len(self._space.vtls))
        return self._space.vtls[vtl]

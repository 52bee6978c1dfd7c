"""The simulator as the contract's Hypervisor and Vm."""

import errno
from mmap import PAGESIZE
from typing import Any, TypeVar

from engine.hypervisor.contract.capabilities import Capabilities
from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.contract.extensions import ModeBasedExecution, Snapshots, Statistics
from engine.hypervisor.contract.masks import require_vtl
from engine.hypervisor.contract.offer import Offer
from engine.hypervisor.contract.processor import require_vcpu
from engine.hypervisor.sim.code_pages import CodePages
from engine.hypervisor.sim.cpu.calibration import VERSION
from engine.hypervisor.sim.kick_all import SimKickAll
from engine.hypervisor.sim.mbec import SimMbec
from engine.hypervisor.sim.memory import SimMemory
from engine.hypervisor.sim.proposals import PROPOSALS, proposals
from engine.hypervisor.sim.ram import Ram
from engine.hypervisor.sim.ring import MOST, check_ring
from engine.hypervisor.sim.snapshots import SimSnapshots
from engine.hypervisor.sim.space import MAX_SLOTS, Space
from engine.hypervisor.sim.statistics import SimStatistics
from engine.hypervisor.sim.vcpu import SimVcpu
from engine.model.address import PAGE_SHIFT, PageRange
from engine.model.dirty import DirtyPage, DirtyWay
from engine.model.layout import MAX_RAM, MAX_VCPUS
from engine.model.memslot import Memslot
from engine.model.page_set import PageSet
from engine.model.rights import Rights, is_valid_mask

E = TypeVar("E")
CAPABILITIES = Capabilities(
    name="sim",
    label=f"simulator (Unicorn {VERSION})",
    real=False,
    clock="guest instructions",
    concurrent=False,
    counts_instructions=True,
    max_slots=MAX_SLOTS,
    denies_whole=True,
    logs_loads=False,
    masks=tuple(mask for mask in range(int(Rights.RWX) + 1) if is_valid_mask(Rights(mask), mbec=True)),
    ring_bytes=MOST,
    extensions=tuple(kind.__name__ for kind in (*PROPOSALS, Snapshots, Statistics, ModeBasedExecution)),
    lacks={"KernelHyperV": "there is no kernel below that could serve hypercalls: they are all the VMM's"},
)


class SimHypervisor:
    """Always there. Nothing is drawn by chance, so `seed` changes nothing here: order comes from the machine."""

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    def create_vm(self, ram: int, vtls: int = 2, seed: int = 1) -> "SimVm":
        """`ram` bytes, a multiple of the page size and at most layout.MAX_RAM, else EINVAL."""
        del seed
        if ram <= 0 or ram % PAGESIZE or ram > MAX_RAM:
            raise HypervisorError(errno.EINVAL, "create_vm", "ram", ram, "whole pages, at most 4 GiB")
        if vtls < 1:
            raise HypervisorError(errno.EINVAL, "create_vm", "vtls", vtls, "at least one")
        return SimVm(ram, vtls)


class SimVm:
    """A guest: one Space, one Ram, one Unicorn per vCPU. To be used by one thread, kick excepted."""

    def __init__(self, ram: int, vtls: int) -> None:
        self._ram = Ram(ram)
        self._space = Space(ram, vtls)
        self._code = CodePages(ram >> PAGE_SHIFT, MAX_VCPUS)
        self._memory = SimMemory(self._space, self._ram, self._code)
        self._vcpus: dict[int, SimVcpu] = {}
        self._closed = False
        self._kick_all = SimKickAll()
        self._offer = Offer(self._extensions(), CAPABILITIES.lacks)

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    @property
    def slots(self) -> dict[int, Memslot]:
        return dict(self._space.slots.by_id)

    @property
    def vcpus(self) -> tuple[SimVcpu, ...]:
        return tuple(self._vcpus.values())

    @property
    def dirty_way(self) -> DirtyWay:
        return self._space.dirty.way

    def set_memory_region(self, slot: Memslot) -> None:
        self._space.set_memory_region(slot)

    def set_mask(self, vtl: int, pages: PageRange | PageSet, rights: Rights) -> None:
        self._space.set_mask(vtl, pages, rights)

    def mask(self, vtl: int, gfn: int) -> Rights:
        return Rights(self._space.mask(vtl, gfn))

    def masks(self, vtl: int, within: PageRange | None = None) -> list[tuple[PageRange, Rights]]:
        return self._space.masks(vtl, within)

    def get_dirty_log(self, slot: int) -> bytes:
        return self._space.get_dirty_log(slot)

    def enable_manual_protect(self, flags: int) -> None:
        self._space.enable_manual_protect(flags)

    def clear_dirty_log(self, slot: int, first_page: int, num_pages: int, bitmap: bytes) -> None:
        self._space.clear_dirty_log(slot, first_page, num_pages, bitmap)

    def enable_dirty_ring(self, size: int) -> None:
        check_ring(size, self._space.ring_size > 0, len(self._vcpus))
        self._space.ring_size = size
        self._space.dirty.to_rings()

    def reset_dirty_rings(self) -> int:
        self._require_ring("KVM_RESET_DIRTY_RINGS")
        pages = [page for vcpu in self._vcpus.values() for ring in vcpu.rings for page in ring.reset()]
        self._space.dirty.arm(pages)
        self._space.generation += bool(pages)
        return len(pages)

    def harvest_vmm_writes(self) -> tuple[DirtyPage, ...]:
        self._require_ring("harvest_vmm_writes")
        return self._space.dirty.take_outside()

    def enable_msr_exits(self) -> None:
        self._space.msr_exits = True

    def extension(self, kind: type[E]) -> E:
        return self._offer.get(kind)

    def memory(self, vtl: int = 0) -> SimMemory:
        """The same for every VTL: slots are in common and masks do not bind the VMM."""
        require_vtl("memory", vtl, self._space.vtls)
        return self._memory

    def ram(self) -> memoryview:
        return self._ram.view.toreadonly()

    def create_vcpu(self, index: int, cr3: int) -> SimVcpu:
        require_vcpu(index, cr3)
        self._ram.require_open("KVM_CREATE_VCPU")
        if index in self._vcpus:
            raise HypervisorError(errno.EEXIST, "KVM_CREATE_VCPU", "index", index, "there is one")
        vcpu = SimVcpu(index, cr3, self._space, self._ram, self._code, self._memory, self._kick_all)
        self._vcpus[index] = vcpu
        return vcpu

    def close(self) -> None:
        """Engines go before the RAM they point at. Closing again does nothing."""
        if not self._closed:
            self._closed = True
            for vcpu in self._vcpus.values():
                vcpu.close()
            self._ram.close()

    def _extensions(self) -> dict[type, Any]:
        snapshots = SimSnapshots(self._space, self._ram, self._code, self._vcpus)
        statistics = SimStatistics(self._space, self._vcpus)
        more = {Snapshots: snapshots, Statistics: statistics, ModeBasedExecution: SimMbec(self._space, self._vcpus)}
        return {**proposals(self._space, self._kick_all), **more}

    def _require_ring(self, call: str) -> None:
        if not self._space.ring_size:
            raise HypervisorError(errno.EINVAL, call, rule="no dirty ring is on")

"""The simulator by pages: what a page's first write costs, and going back over pages that changed."""

from contextlib import closing
from time import perf_counter

from bench.figure import Figure, beside
from engine.hypervisor.contract.extensions import Snapshots
from engine.hypervisor.sim.partition import SimHypervisor, SimVm
from engine.model.address import PAGE_SIZE
from engine.model.exits import HltExit
from engine.model.layout import PML4, code_base
from engine.model.memslot import Memslot, SlotFlags
from engine.model.registers import Registers
from engine.x86.assemble import assemble
from engine.x86.paging import identity_tables

PAGES = 100_000
CHANGED = (10, 100, 1000)
_MIB = 1 << 20
_LOOP = "again: mov [rdi], rax\nadd rdi, 4096\ndec rcx\njnz again\nhlt"


class Storing:
    """A guest that stores once to each of the first pages of a logged slot."""

    def __init__(self) -> None:
        self.vm: SimVm = SimHypervisor().create_vm(2 * _MIB + PAGES * PAGE_SIZE)
        self.vm.set_memory_region(Memslot(0, 0, 2 * _MIB, 0))
        self.vm.set_memory_region(Memslot(1, 2 * _MIB, PAGES * PAGE_SIZE, 2 * _MIB, int(SlotFlags.LOG)))
        for gpa, table in identity_tables().items():
            self.vm.memory().write(gpa, table)
        self.vm.memory().write(code_base(0), assemble(_LOOP, code_base(0)).code)
        self._vcpu = self.vm.create_vcpu(0, PML4)

    def store(self, pages: int, value: int = 1) -> float:
        """Seconds."""
        self._vcpu.set_registers(Registers(rip=code_base(0), rax=value, rdi=2 * _MIB, rcx=pages))
        start = perf_counter()
        assert isinstance(self._vcpu.run(), HltExit)
        return perf_counter() - start


def first_writes(repeat: int = 7) -> list[Figure]:
    """Microseconds a page: its first store, and the same loop when every page is dirty."""
    guest, fresh, again = Storing(), list[float](), list[float]()
    with closing(guest.vm):
        guest.store(PAGES)  # so that RAM is there
        for _ in range(repeat):
            assert sum(byte.bit_count() for byte in guest.vm.get_dirty_log(1)) == PAGES
            fresh.append(guest.store(PAGES) / PAGES * 1e6)
            again.append(guest.store(PAGES) / PAGES * 1e6)
    name = f"store to each of {PAGES:,} logged pages"
    known = Figure(f"{name}: again", "us", tuple(again), note="a page; more of them than the TLB holds")
    return [beside(Figure(f"{name}: the first", "us", tuple(fresh), note="a page"), known), known]


def going_back() -> list[Figure]:
    guest = Storing()
    with closing(guest.vm):
        return [Figure(f"snapshot and back, {n} pages changed", "ms", _back(guest, n)) for n in CHANGED]


def _back(guest: Storing, pages: int, repeat: int = 25) -> tuple[float, ...]:
    snapshots, samples = guest.vm.extension(Snapshots), list[float]()
    base = snapshots.take()
    for turn in range(repeat):
        guest.store(pages, turn + 2)
        start = perf_counter()
        taken = snapshots.take()
        snapshots.restore(base)
        samples.append((perf_counter() - start) * 1e3)
        assert guest.vm.memory().read(2 * _MIB, 1) == b"\0"
        del taken
    return tuple(samples)

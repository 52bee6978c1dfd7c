"""Dirty rings: their sizes, their order, and what happens when one is full."""

import errno

from engine.conformance.check import Body, Subject, answers, equal, errno_name, errno_of
from engine.conformance.errnos import RINGS, Size
from engine.conformance.guest import MIB, Factory, Guest
from engine.hypervisor.contract.errors import Unsupported
from engine.hypervisor.contract.protocols import Vm
from engine.model.dirty import DirtyPage
from engine.model.exits import HltExit, RingFullExit
from engine.model.layout import PML4
from engine.model.memslot import Memslot, SlotFlags
from engine.model.resolution import Complete

RING = Subject("ring")
_API = "api.rst 8.29, KVM_CAP_DIRTY_LOG_RING"
_ENTRIES = 1024
"""The least that every processor allows."""
_RESERVED = {64, 64 + 512}
"""Entries kept free: KVM's own, and as many as a processor may buffer (PML)."""
_FIRST = 16 * MIB
_TELL = "again: mov [rbx], rax\nout 0x10, al\nadd rbx, 0x1000\ndec rcx\njnz again\nhlt"


def _size(row: Size) -> Body:
    def body(make: Factory) -> None:
        vm = make.vm(2 * MIB)
        found = errno_of(lambda: vm.enable_dirty_ring(row.size))
        if found == errno.EINVAL and row.size == 4096:
            raise Unsupported("a ring of 4 KiB", "this processor buffers writes, so its kernel reserves more entries")
        equal(errno_name(found), errno_name(row.code), "answered with")
        equal(vm.dirty_way, "log" if row.code else "ring", "the way of dirty pages afterwards")

    return body


for _row in RINGS:
    RING.add(f"size {_row.name}", f"A ring of {_row.name} bytes: {errno_name(_row.code)}", _API, _size(_row))


def _ringed(make: Factory) -> Guest:
    """With slot 2: 16 MiB, logged, at 16 MiB."""

    def prepare(vm: Vm) -> None:
        vm.enable_dirty_ring(16 * _ENTRIES)

    guest = make.guest(64 * MIB, prepare)
    guest.vm.set_memory_region(Memslot(2, _FIRST, 16 * MIB, 16 * MIB, int(SlotFlags.LOG)))
    return guest


@RING.check("before vCPUs and once", _API)
def _before_vcpus(make: Factory) -> None:
    """A ring is enabled once, and before there are vCPUs: else EINVAL."""
    vm, late = make.vm(2 * MIB), make.vm(2 * MIB)
    answers(lambda: vm.enable_dirty_ring(65536), 0)
    answers(lambda: vm.enable_dirty_ring(65536), errno.EINVAL)
    late.create_vcpu(0, PML4)
    answers(lambda: late.enable_dirty_ring(65536), errno.EINVAL)


@RING.check("no bitmaps", _API)
def _no_bitmaps(make: Factory) -> None:
    """While a ring is on, reading and clearing a bitmap is ENXIO."""
    guest = _ringed(make)
    answers(lambda: guest.vm.get_dirty_log(1), errno.ENXIO)
    answers(lambda: guest.vm.clear_dirty_log(1, 0, 64, bytes(8)), errno.ENXIO)


@RING.check("order", _API)
def _order(make: Factory) -> None:
    """Entries come in the order of the writes, as slot and page of the slot."""
    guest = _ringed(make)
    guest.load("mov [rbx+0x5000], rax\nmov [rdi], rax\nmov [rbx], rax\nhlt", rbx=Guest.DATA, rdi=_FIRST + 0x9000)
    guest.drive()
    equal(guest.vcpu.harvest_dirty_ring().pages, (DirtyPage(1, 5), DirtyPage(2, 9), DirtyPage(1, 0)), "the harvest")
    equal(guest.vm.reset_dirty_rings(), 3, "entries given back")


@RING.check("told again after the reset", _API)
def _told_again(make: Factory) -> None:
    """A page is told again when it is written after the reset."""
    guest = _ringed(make)
    for _ in range(3):
        guest.load("mov [rbx], rax\nhlt", rbx=Guest.DATA)
        guest.drive()
        equal(set(guest.vcpu.harvest_dirty_ring().pages) == {DirtyPage(1, 0)}, True, "page 0 of slot 1 is told")
        guest.vm.reset_dirty_rings()


@RING.check("full", _API)
def _full(make: Factory) -> None:
    """At the soft limit a vCPU comes out, and nothing executes until the ring is harvested and reset."""
    guest = _ringed(make)
    guest.load(_TELL, rbx=_FIRST, rcx=1500)
    _until_full(guest)
    before = guest.vcpu.registers()
    equal(isinstance(guest.vcpu.run(), RingFullExit), True, "it is full still")
    equal(guest.vcpu.registers() == before, True, "nothing was executed")
    equal(_ENTRIES - len(guest.vcpu.harvest_dirty_ring().pages) in _RESERVED, True, "the reserved entries are free")


@RING.check("nothing lost", _API)
def _nothing_lost(make: Factory) -> None:
    """A guest that exits after each store has all its pages told, though they are more than the ring holds."""
    guest, told = _ringed(make), set[int]()
    guest.load(_TELL, rbx=_FIRST, rcx=1500)
    while True:
        exit = guest.vcpu.run()
        if isinstance(exit, RingFullExit | HltExit):
            told |= {page.offset for page in guest.vcpu.harvest_dirty_ring().pages}
            guest.vm.reset_dirty_rings()
        if isinstance(exit, HltExit):
            break
        guest.vcpu.resolve(exit, Complete())
    equal(len(told), 1500, "pages told")


@RING.check("soft limit heeded", _API)
def _heeded(make: Factory) -> None:
    """A guest that never exits loses no page either: it is brought out at the soft limit."""
    if reason := make.capabilities.ring_reason:
        raise Unsupported("dirty rings that lose nothing", reason)
    guest, told = _ringed(make), set[int]()
    guest.load(_TELL.replace("out 0x10, al\n", ""), rbx=_FIRST, rcx=4096)
    while isinstance(guest.vcpu.run(), RingFullExit):
        told |= {page.offset for page in guest.vcpu.harvest_dirty_ring().pages}
        guest.vm.reset_dirty_rings()
    told |= {page.offset for page in guest.vcpu.harvest_dirty_ring().pages}
    equal(len(told), 4096, "pages told")


def _until_full(guest: Guest) -> None:
    while not isinstance(exit := guest.vcpu.run(), RingFullExit):
        guest.vcpu.resolve(exit, Complete())

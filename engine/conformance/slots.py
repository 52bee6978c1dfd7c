"""Memslots: what may be added, moved, changed and deleted, and what the guest sees of it."""

import errno

from engine.conformance.check import Body, Subject, answers, equal, errno_name
from engine.conformance.errnos import LOG, READONLY, REGIONS, Region
from engine.conformance.guest import MIB, Factory, Guest
from engine.model.address import PAGE_SIZE
from engine.model.exits import VoidExit
from engine.model.memslot import Memslot

SLOTS = Subject("slots")
_API = "api.rst 4.35, KVM_SET_USER_MEMORY_REGION"
_DATA, _PAGE, _VOID = Guest.DATA, Guest.PAGE, Guest.VOID


def _region(row: Region) -> Body:
    def body(make: Factory) -> None:
        vm = make.guest().vm
        before = vm.slots
        answers(lambda: vm.set_memory_region(row.slot), row.code)
        wanted = before if row.code else {**before, row.slot.slot: row.slot}
        equal(vm.slots, {id: slot for id, slot in wanted.items() if slot.size}, "the slots afterwards")

    return body


for _row in REGIONS:
    _says = f"KVM_SET_USER_MEMORY_REGION, {_row.name}: {errno_name(_row.code)}"
    SLOTS.add(_row.name, _says, _API, _region(_row))


@SLOTS.check("moved data", _API)
def _moved_data(make: Factory) -> None:
    """A moved slot takes its data along, and its old place is void."""
    guest = make.guest()
    guest.vm.set_memory_region(Memslot(1, _VOID, 2 * MIB, 2 * MIB, LOG))
    guest.load("mov rcx, [rsi]\nmov rdx, [rbx]\nhlt", rbx=_PAGE, rsi=_PAGE - _DATA + _VOID)
    (exit,) = guest.drive()
    equal(isinstance(exit, VoidExit), True, "the old place is void")
    equal(guest.vcpu.registers().rcx, 0x1111111111111111, "loaded at the new place")


@SLOTS.check("readonly loads", "api.rst 4.35, KVM_MEM_READONLY")
def _readonly_loads(make: Factory) -> None:
    """Loads from a read-only slot read RAM and do not exit."""
    guest = make.guest()
    guest.vm.set_memory_region(Memslot(2, _VOID, MIB, 4 * MIB, READONLY))
    guest.memory.write(_VOID, b"\x22" * 8)
    guest.load("mov rcx, [rbx]\nhlt", rbx=_VOID)
    equal(guest.drive(), [], "exits")
    equal(guest.vcpu.registers().rcx, 0x2222222222222222, "loaded")


@SLOTS.check("the VMM in the void", "engine/hypervisor/contract/protocols.py, GuestMemory")
def _vmm_in_the_void(make: Factory) -> None:
    """The VMM's own access is refused with EFAULT when a byte of it is in no slot, and nothing is written."""
    guest = make.guest()
    answers(lambda: guest.memory.write(_VOID - 4, b"12345678"), errno.EFAULT)
    answers(lambda: guest.memory.read(_VOID - 4, 8), errno.EFAULT)
    equal(guest.memory.read(_VOID - 4, 4), bytes(4), "the part that is in a slot")


@SLOTS.check("as many as offered", "KVM_CAP_NR_MEMSLOTS")
def _last_id(make: Factory) -> None:
    """The last slot id that the capabilities promise can be had, and the next one is refused with EINVAL."""
    vm, most = make.guest().vm, make.capabilities.max_slots
    answers(lambda: vm.set_memory_region(Memslot(most - 1, _VOID, PAGE_SIZE, 4 * MIB)), 0)
    answers(lambda: vm.set_memory_region(Memslot(most, _VOID + MIB, PAGE_SIZE, 4 * MIB)), errno.EINVAL)

"""What has been proposed on the kernel lists and is in no kernel: docs/proposals.md."""

import errno

from engine.conformance.check import Subject, answers, equal
from engine.conformance.guest import MIB, Factory, Guest
from engine.hypervisor.contract.extensions import (
    AtomicHarvest,
    AtomicRegions,
    Attribute,
    KickAll,
    MemoryAttributes,
    PermissionBitmap,
    Snapshots,
)
from engine.model.address import PAGE_SIZE, PageRange
from engine.model.exits import Interrupted, ProtectionExit
from engine.model.memslot import Memslot, SlotFlags
from engine.model.rights import Rights

PROPOSALS = Subject("proposals")
_PAGE, _VOID = Guest.PAGE, Guest.VOID
_LISTS = "kernel list, 2022; engine/hypervisor/contract/extensions.py"
_STORE = "mov [rbx], rax\nhlt"


@PROPOSALS.check("permission bitmap", f"KVM_SET_MEMORY_REGION_PERM: {_LISTS}")
def _permissions(make: Factory) -> None:
    """A permission bitmap denies in every VTL of the vm, and not to the VMM."""
    guest = make.guest()
    guest.vm.extension(PermissionBitmap).set_permissions(PageRange.of(_PAGE, PAGE_SIZE), Rights.RX)
    for vtl in (0, 1):
        guest.vcpu.enter_vtl(vtl)
        guest.load(_STORE, rbx=_PAGE)
        equal([type(exit) for exit in guest.drive()], [ProtectionExit], f"exits in VTL{vtl}")
    answers(lambda: guest.memory.write(_PAGE, b"through"), 0)


@PROPOSALS.check("memory attributes", "KVM_SET_MEMORY_ATTRIBUTES with NR, NW, NX: kernel list, June 2024")
def _attributes(make: Factory) -> None:
    """NW denies stores and nothing else; what is not aligned, unknown or leaves W without R is EINVAL."""
    guest = make.guest()
    attributes = guest.vm.extension(MemoryAttributes)
    attributes.set_memory_attributes(_PAGE, PAGE_SIZE, Attribute.NW)
    guest.load(f"mov rcx, [rbx]\n{_STORE}", rbx=_PAGE)
    equal([str(e.access) for e in guest.drive() if isinstance(e, ProtectionExit)], ["write"], "denied")
    for at, size, value in ((_PAGE + 1, PAGE_SIZE, 0), (_PAGE, 0, 0), (_PAGE, PAGE_SIZE, 8), (_PAGE, PAGE_SIZE, 1)):
        answers(lambda a=at, s=size, v=value: attributes.set_memory_attributes(a, s, v), errno.EINVAL)


@PROPOSALS.check("kick all", f"KVM_KICK_ALL_RUNNING_VCPUS: {_LISTS}")
def _kick_all(make: Factory) -> None:
    """While all are kicked every run comes back at once; EBUSY and EINVAL for a second kick or resume."""
    guest = make.guest()
    kicks = guest.vm.extension(KickAll)
    guest.load("inc rbx\nhlt")
    kicks.kick_all()
    answers(kicks.kick_all, errno.EBUSY)
    equal([type(guest.vcpu.run()) for _ in range(2)], [Interrupted, Interrupted], "runs while kicked")
    kicks.resume_all()
    answers(kicks.resume_all, errno.EINVAL)
    equal(guest.drive(), [], "exits afterwards")
    equal(guest.vcpu.registers().rbx, 1, "RBX")


@PROPOSALS.check("region list", f"KVM_SET_USER_MEMORY_REGION_LIST: {_LISTS}")
def _region_list(make: Factory) -> None:
    """A list of changes happens whole, or with the errno of the one refused not at all."""
    guest = make.guest()
    regions, log = guest.vm.extension(AtomicRegions), int(SlotFlags.LOG)
    before = guest.vm.slots
    gone = Memslot(1, Guest.DATA, 0, 2 * MIB)
    answers(lambda: regions.set_memory_regions((gone, Memslot(2, _VOID + 1, MIB, 4 * MIB))), errno.EINVAL)
    equal(guest.vm.slots, before, "the slots after a refusal")
    smaller = Memslot(1, Guest.DATA, MIB, 2 * MIB, log)
    answers(lambda: regions.set_memory_regions((gone, smaller)), 0)
    equal(guest.vm.slots, {**before, 1: smaller}, "the slots")
    answers(lambda: regions.set_memory_regions(()), errno.EINVAL)


@PROPOSALS.check("log and delete", f"the gap between KVM_GET_DIRTY_LOG and deleting: {_LISTS}")
def _log_and_delete(make: Factory) -> None:
    """The dirty log is read and the slot deleted in one step; for a slot without a log, with its errno, neither."""
    guest = make.guest()
    harvest = guest.vm.extension(AtomicHarvest)
    answers(lambda: harvest.get_dirty_log_and_delete(0), errno.ENOENT)
    guest.load(_STORE, rbx=_PAGE)
    guest.drive()
    bitmap = int.from_bytes(harvest.get_dirty_log_and_delete(1), "little")
    equal(bitmap, 1 << (_PAGE - Guest.DATA) // PAGE_SIZE, "the log")
    equal(set(guest.vm.slots), {0}, "the slots")


@PROPOSALS.check("snapshots", "engine/hypervisor/contract/extensions.py, Snapshots")
def _snapshots(make: Factory) -> None:
    """A machine goes back to a snapshot: memory, registers, slots and dirty pages."""
    guest = make.guest()
    snapshots = guest.vm.extension(Snapshots)
    guest.load(_STORE, rbx=_PAGE, rax=1)
    slots, word = guest.vm.slots, guest.word()
    kept = snapshots.take()
    guest.drive()
    guest.vm.set_memory_region(Memslot(1, Guest.DATA, 0, 2 * MIB))
    snapshots.restore(kept)
    equal((guest.vm.slots, guest.word(), guest.dirty()), (slots, word, set[int]()), "slots, the word, the dirty log")
    equal(guest.drive(), [], "exits when it runs again")
    equal(guest.word(), 1, "the word")

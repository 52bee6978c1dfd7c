"""Taking back the instruction whose access waits for an answer, so that nothing of it has happened.

KVM gives up an operation for nothing: one that waits for bytes is given some and finished without entering the guest,
where what it then stores lands nowhere, and all registers are put back.
"""

from collections.abc import Generator
from contextlib import contextmanager

from msgspec.structs import replace

from engine.hypervisor.contract.errors import Unsupported
from engine.hypervisor.kvm import events
from engine.hypervisor.kvm.address_space import AddressSpace
from engine.hypervisor.kvm.origin import Origin
from engine.hypervisor.kvm.pending import Denied, Io, Pending, Shape
from engine.hypervisor.kvm.rewind import before, rewind
from engine.hypervisor.kvm.seat import Seat
from engine.hypervisor.kvm.space import GuestSpace
from engine.model.address import PAGE_SHIFT, PageRange
from engine.model.registers import Registers
from engine.model.rights import Access, Rights
from engine.x86.decode import decode
from engine.x86.operands import memory_operands

ABILITY = "Inject"


def withdraw(space: GuestSpace, seat: Seat, pending: Pending) -> None:
    """The vCPU is at the start of the instruction. Unsupported, and nothing changed, where that cannot be had."""
    origin = pending.origin
    found = decode(origin.code, origin.rip)
    if isinstance(pending, Denied) and pending.shape is Shape.WHOLE:
        return
    if found is None:
        raise Unsupported(ABILITY, f"which instruction is waiting at {origin.rip:#x} cannot be told")
    if found.is_string and (seat.stepping or isinstance(pending, Io)):
        raise Unsupported(ABILITY, f"of `{found.text}` some iterations are done, and KVM does not tell how many")
    addresses = seat.addresses()
    if seat.stepping:
        # The helper's state is dropped; the vCPU itself has not begun.
        _finish(space, seat, addresses, origin)
        seat.abandon_step()
    elif isinstance(pending, Denied) and pending.shape is Shape.STORE:
        registers = before(addresses, pending, seat.active.registers())
        if registers is None or _half_done(space, seat, addresses, pending, registers):
            raise Unsupported(ABILITY, f"KVM tells of `{found.text}` when the rest of it is done, not to be undone")
        rewind(seat.active, registers)
    else:
        _undo(space, seat, addresses, origin)


def _undo(space: GuestSpace, seat: Seat, addresses: AddressSpace, origin: Origin) -> None:
    """Finish the operation, then have all registers as they are now, at the instruction."""
    fd = seat.active
    registers, system, vectors = replace(fd.registers(), rip=origin.rip), fd.sregs(), fd.xsave()
    _finish(space, seat, addresses, origin)
    if bytes(fd.sregs()) != bytes(system):
        fd.set_sregs(system)
    fd.set_xsave(vectors)
    fd.set_registers(registers)


def _finish(space: GuestSpace, seat: Seat, addresses: AddressSpace, origin: Origin) -> None:
    """Have KVM done with the instruction. Memory is as before, registers are not."""
    fd = seat.active
    registers = fd.registers()
    if _repeats(origin):
        # The emulator reads RCX again: this iteration is the last.
        fd.set_registers(replace(registers, rcx=1))
    with space.lock, _shut(space, seat, _written(addresses, origin, registers)):
        while not fd.finish():
            pass
    # What the guest would have got for bytes that were none.
    events.forget(fd)


@contextmanager
def _shut(space: GuestSpace, seat: Seat, gfns: set[int]) -> Generator[None, None, None]:
    """No store to these pages goes through from this VTL; those of other vCPUs are finished unseen, as ever."""
    vtl = space.vtls[-1 if seat.stepping else seat.vtl]
    pages = [PageRange(gfn, 1) for gfn in gfns if vtl.masks.get(gfn) == Rights.RWX]
    shut = [(slot, one) for one in pages if (slot := space.slots.at(one.first << PAGE_SHIFT)) is not None]
    try:
        for slot, one in shut:
            vtl.shut(slot, one)
        yield
    finally:
        for slot, one in shut:
            vtl.protect(slot, one)


def _half_done(space: GuestSpace, seat: Seat, addresses: AddressSpace, denied: Denied, registers: Registers) -> bool:
    """Whether a part of the store was on a page that takes it, where it is by now."""
    masks = space.vtls[seat.vtl].masks
    others = _written(addresses, denied.origin, registers) - {denied.gpa >> PAGE_SHIFT}
    with space.lock:
        return any(masks.get(gfn) == Rights.RWX and space.slots.at(gfn << PAGE_SHIFT) is not None for gfn in others)


def _written(addresses: AddressSpace, origin: Origin, registers: Registers) -> set[int]:
    """gfns that the instruction stores to."""
    operands = memory_operands(origin.code, origin.rip, registers)
    written = [operand for operand in operands if Access.WRITE in operand.access]
    pieces = [piece for operand in written for piece in addresses.pieces(operand.address, operand.size)]
    return {gpa >> PAGE_SHIFT for gpa, _ in pieces}


def _repeats(origin: Origin) -> bool:
    found = decode(origin.code, origin.rip)
    return found is not None and found.is_string

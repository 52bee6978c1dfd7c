"""What happened in the simulator, as the contract's exits."""

from enum import StrEnum
from typing import TypedDict

from engine.hypervisor.rights_table import RWX
from engine.hypervisor.sim.protections import NEEDS, in_ring_3
from engine.hypervisor.sim.scratch import Piece
from engine.hypervisor.sim.space import READONLY, Space
from engine.hypervisor.sim.stop import MsrAccess, PortAccess
from engine.model.address import PAGE_SHIFT
from engine.model.exits import (
    AnyExit,
    InternalError,
    IoExit,
    MmioExit,
    MsrExit,
    ProtectionExit,
    RingFullExit,
    ShutdownExit,
    VoidExit,
)
from engine.model.memslot import Memslot
from engine.model.rights import Access

EMULATION = 1
"""KVM_INTERNAL_ERROR_EMULATION, what KVM answers to a fetch it cannot do."""

DELIVERY = 3
"""KVM_INTERNAL_ERROR_DELIVERY_EV, likewise to an exit in the middle of delivering an event."""


class Where(TypedDict):
    """What every exit of an instruction has: fields of engine.model.exits.Exit."""

    vcpu: int
    vtl: int
    rip: int
    code: bytes
    text: str


class Verdict(StrEnum):
    """Why an access leaves the guest. A store to a READONLY slot is device emulation whatever the mask says."""

    ALLOWED = "allowed"
    PROTECTION = "protection"
    VOID = "void"
    MMIO = "mmio"


_KINDS: dict[Verdict, type[ProtectionExit] | type[VoidExit] | type[MmioExit]] = {
    Verdict.PROTECTION: ProtectionExit,
    Verdict.VOID: VoidExit,
    Verdict.MMIO: MmioExit,
}


def verdict(space: Space, vtl: int, gpa: int, access: Access, masked: bool = True, by_ux: bool = False) -> Verdict:
    """`masked` False: as if the fence were lifted. `by_ux`: a fetch that needs the right of ring 3."""
    slot = space.slot_at(gpa >> PAGE_SHIFT)
    left = space.allowed(vtl, gpa >> PAGE_SHIFT) if masked else RWX
    return judged(slot, in_ring_3(left) if by_ux else left, access)


def judged(slot: Memslot | None, left: int, access: Access) -> Verdict:
    """By the page's slot and the rights that are left there. A fence is asked before a slot's READONLY, as on KVM."""
    if slot is None:
        return Verdict.VOID
    if not left & NEEDS[access]:
        return Verdict.PROTECTION
    return Verdict.MMIO if access is Access.WRITE and slot.flags & READONLY else Verdict.ALLOWED


def memory_exit(space: Space, piece: Piece, found: Verdict, where: Where) -> AnyExit:
    """`found` is not ALLOWED."""
    if found is Verdict.PROTECTION:
        reason = space.protections.denial(where["vtl"], piece.gpa >> PAGE_SHIFT, piece.access)
    else:
        reason = "no slot" if found is Verdict.VOID else "READONLY slot"
    raw = f"TLB fill refused {piece.access} at {piece.gpa:#x}: {reason}"
    # One by one: to unpack `where` takes longer than all the rest.
    return _KINDS[found](
        vcpu=where["vcpu"],
        vtl=where["vtl"],
        rip=where["rip"],
        code=where["code"],
        text=where["text"],
        raw=raw,
        gpa=piece.gpa,
        gva=piece.gva,
        access=piece.access,
        size=piece.size,
        data=piece.data,
    )


def io_exit(event: PortAccess, where: Where) -> IoExit:
    data = None if event.value is None else event.value.to_bytes(4, "little")[: event.size]
    way = "IN" if data is None else "OUT"
    return IoExit(port=event.port, size=event.size, data=data, raw=f"{way} hook, port {event.port:#x}", **where)


def msr_exit(access: MsrAccess, where: Where) -> MsrExit:
    data = None if access.value is None else access.value.to_bytes(8, "little")
    way = "RDMSR" if data is None else "WRMSR"
    return MsrExit(index=access.index, data=data, raw=f"{way} of {access.index:#x}, which is not kept", **where)


def shutdown(reason: str, where: Where) -> ShutdownExit:
    return ShutdownExit(raw=f"triple fault: {reason}", **where)


def ring_full(where: Where) -> RingFullExit:
    return RingFullExit(raw="dirty ring at its soft limit", **where)


def internal_error(reason: str, facts: dict[str, int], where: Where) -> InternalError:
    return InternalError(raw=reason, facts={"suberror": EMULATION, **facts}, **where)


def delivery_error(reason: str, facts: dict[str, int], where: Where) -> InternalError:
    """An exception that would have to leave the guest in the middle of its delivery."""
    return InternalError(raw=f"no delivery of {reason}", facts={"suberror": DELIVERY, **facts}, **where)

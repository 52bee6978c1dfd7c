"""What a vCPU is waiting to be told: the last exit as the hypervisor saw it."""

from enum import Enum, auto

import msgspec

from engine.hypervisor.kvm.origin import Origin
from engine.hypervisor.kvm.space import Verdict
from engine.model.exits import AnyExit, HypercallExit, IoExit, MmioExit, MsrExit, ProtectionExit, VoidExit
from engine.model.rights import Access


class Shape(Enum):
    """The forms in which KVM reports an access that did not go through (measured; api.rst 5).

    Where every exit passes, members have names of their own: to look one up in its class takes ten times as long.
    """

    LOAD = auto()
    """MMIO read: the instruction waits, RIP at it, for the bytes in kvm_run."""
    STORE = auto()
    """MMIO write: the instruction is done, RIP past it, only the bytes did not reach memory."""
    WHOLE = auto()
    """EFAULT or an emulation failure: nothing of the instruction has happened."""


LOAD, STORE, WHOLE = Shape.LOAD, Shape.STORE, Shape.WHOLE


class Denied(msgspec.Struct, frozen=True):
    """One access of at most 8 bytes within a page."""

    shape: Shape
    origin: Origin
    gpa: int
    access: Access
    size: int
    data: bytes | None
    raw: str
    gva: int | None

    def exit(self, vcpu: int, vtl: int, verdict: Verdict) -> AnyExit:
        """As the contract tells it."""
        kind = _EXITS[verdict]
        return kind(
            vcpu=vcpu,
            vtl=vtl,
            rip=self.origin.rip,
            code=self.origin.code,
            text=self.origin.text,
            raw=self.raw,
            gpa=self.gpa,
            gva=self.gva,
            access=self.access,
            size=self.size,
            data=self.data,
        )


class Io(msgspec.Struct, frozen=True, gc=False):
    """An IN or OUT of `size` bytes in all."""

    origin: Origin
    size: int
    incoming: bool
    exit: IoExit


class Msr(msgspec.Struct, frozen=True, gc=False):
    """An RDMSR or WRMSR, RIP still at it."""

    origin: Origin
    incoming: bool
    exit: MsrExit


class Hcall(msgspec.Struct, frozen=True, gc=False):
    """A hypercall that KVM's own Hyper-V leaves to the VMM, RIP still at it."""

    origin: Origin
    exit: HypercallExit
    incoming: bool = True


Operation = Io | Msr | Hcall
Pending = Denied | Operation

_EXITS: dict[Verdict, type[ProtectionExit] | type[VoidExit] | type[MmioExit]] = {
    Verdict.PROTECTION: ProtectionExit,
    Verdict.VOID: VoidExit,
    Verdict.READONLY: MmioExit,
}

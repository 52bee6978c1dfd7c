"""What a hypercall or a switch does, as values: the machine performs them, `apply` follows them in the VSM state."""

import msgspec

from engine.model.rights import Rights
from engine.vsm.context import InitialContext
from engine.vsm.synic_state import Synic


class Effect(msgspec.Struct, frozen=True, tag_field="effect"):
    """One thing to do."""


class SetMask(Effect, frozen=True, tag=True):
    """`setter` leaves each of `targets` these rights to the pages."""

    setter: int
    targets: tuple[int, ...]
    gfns: tuple[int, ...]
    rights: Rights


class SetDefaultMask(Effect, frozen=True, tag=True):
    """All pages for which `setter` has set nothing, and pages to come."""

    setter: int
    rights: Rights


class EnableVtl(Effect, frozen=True, tag=True):
    """For the partition."""

    vtl: int
    mbec: bool


class EnableVpVtl(Effect, frozen=True, tag=True):
    """On one processor; it begins with `context` when the VTL is first entered."""

    vp: int
    vtl: int
    context: InitialContext


class StartVp(Effect, frozen=True, tag=True):
    vp: int
    vtl: int
    context: InitialContext


class SetRegister(Effect, frozen=True, tag=True):
    """An architectural register of a processor in a VTL, by its RegisterName; 128 bits."""

    vp: int
    vtl: int
    name: int
    value: int


class SetPartitionConfig(Effect, frozen=True, tag=True):
    vtl: int
    value: int


class SetGuestOsId(Effect, frozen=True, tag=True):
    vtl: int
    value: int


class SetHypercall(Effect, frozen=True, tag=True):
    """HV_X64_MSR_HYPERCALL of a VTL: where its hypercall page lies, if enabled."""

    vtl: int
    value: int


class SetPendingEvent(Effect, frozen=True, tag=True):
    """The exception that the processor takes before its next instruction in that VTL; 0: none."""

    vp: int
    vtl: int
    value: int


class RequestInterrupt(Effect, frozen=True, tag=True):
    """It waits in the interrupt controller of that VTL."""

    vp: int
    vtl: int
    vector: int


class AcceptInterrupt(Effect, frozen=True, tag=True):
    """The VTL has taken it."""

    vp: int
    vtl: int
    vector: int


class SetVina(Effect, frozen=True, tag=True):
    vp: int
    vtl: int
    value: int


class SetAssistPage(Effect, frozen=True, tag=True):
    vp: int
    vtl: int
    value: int


class SetSynic(Effect, frozen=True, tag=True):
    """The synthetic interrupt controller of a VTL on a processor, after a change."""

    vp: int
    vtl: int
    synic: Synic


class SetSecureConfig(Effect, frozen=True, tag=True):
    """What `vtl` configures for the lower VTL `lower`: MBEC and the TLB lock."""

    vp: int
    vtl: int
    lower: int
    value: int


class AwaitTlbLocks(Effect, frozen=True, tag=True):
    """`vtl` of the processor does not go on before each of `holders` has unlocked its TLB of that VTL."""

    vp: int
    vtl: int
    holders: tuple[int, ...]


class SwitchVtl(Effect, frozen=True, tag=True):
    """The processor goes on in another VTL: private registers change, shared ones stay."""

    vp: int
    vtl: int


class WriteMemory(Effect, frozen=True, tag=True):
    """By the hypervisor, at a gpa that `vtl` may write; within one page."""

    gpa: int
    data: bytes
    vtl: int


AnyEffect = (
    SetMask
    | SetDefaultMask
    | EnableVtl
    | EnableVpVtl
    | StartVp
    | SetRegister
    | SetPartitionConfig
    | SetGuestOsId
    | SetHypercall
    | SetPendingEvent
    | RequestInterrupt
    | AcceptInterrupt
    | SetVina
    | SetAssistPage
    | SetSynic
    | SetSecureConfig
    | AwaitTlbLocks
    | SwitchVtl
    | WriteMemory
)

"""What the VMM answers to an exit: a pure function of the exit, the policy and what the host can enforce."""

import msgspec

from engine.hypervisor.contract.capabilities import Capabilities
from engine.model.exits import (
    AnyExit,
    HltExit,
    InternalError,
    IoExit,
    MmioExit,
    ProtectionExit,
    ShutdownExit,
    VoidExit,
)
from engine.model.resolution import Complete, Drop, Resolution, Retry
from engine.model.rights import Rights
from engine.model.scenario import OnProtection


class Answer(msgspec.Struct, frozen=True):
    """How to go on after an exit."""

    resolution: Resolution | None = None
    relax_to: Rights | None = None
    """Give the page these rights before resolving."""
    state: str = "running"
    """What becomes of the vCPU: running, halted, fenced or dead."""
    why: str = ""


def answer(exit: AnyExit, policy: OnProtection, mask: Rights, host: Capabilities) -> Answer:
    """`mask`: the rights the page of a protection exit has now."""
    match exit:
        case ProtectionExit():
            return _protection(exit, policy, mask, host)
        case VoidExit():
            return Answer(Drop())
        case MmioExit():
            return Answer(Complete())
        case IoExit():
            return Answer(Drop() if exit.data is None else Complete())
        case HltExit():
            return Answer(state="halted", why="hlt")
        case ShutdownExit():
            return Answer(state="dead", why="triple fault")
        case InternalError():
            return Answer(state="dead", why=exit.raw)
        case _:
            return Answer(Retry())


def _protection(exit: ProtectionExit, policy: OnProtection, mask: Rights, host: Capabilities) -> Answer:
    match policy:
        case "complete":
            return Answer(Complete())
        case "drop":
            return Answer(Drop())
        case "halt":
            return Answer(state="fenced", why=f"{exit.access} of {exit.gpa:#x} denied")
        case "relax":
            return Answer(Retry(), relax_to=least_mask(mask | exit.access.needs, host))


def least_mask(wanted: Rights, host: Capabilities) -> Rights:
    """The mask with the fewest rights that this host enforces and that has all of `wanted`; RWX always does."""
    enough = (Rights(mask) for mask in host.masks if Rights(mask) & wanted == wanted)
    return min(enough, key=lambda mask: mask.bit_count(), default=Rights.RWX)

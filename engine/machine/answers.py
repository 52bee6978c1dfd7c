"""What the VMM answers to an exit: a pure function of the exit and the policy."""

import msgspec

from engine.hypervisor.contract.vectors import GENERAL_PROTECTION
from engine.model.exits import (
    AnyExit,
    HltExit,
    InternalError,
    IoExit,
    MmioExit,
    MsrExit,
    ProtectionExit,
    ShutdownExit,
    VoidExit,
)
from engine.model.resolution import Complete, Drop, Inject, Resolution, Retry
from engine.model.rights import Rights
from engine.model.scenario import OnProtection

_FORBIDDEN = Inject(GENERAL_PROTECTION, 0)
"""#GP(0): what a guest gets for an unknown MSR (SDM Vol. 2, RDMSR), and from a hypervisor for a forbidden access."""


class Answer(msgspec.Struct, frozen=True):
    """How to go on after an exit."""

    resolution: Resolution | None = None
    relax_to: Rights | None = None
    """Give the page these rights before resolving."""
    state: str = "running"
    """What becomes of the vCPU: running, halted, fenced or dead."""
    why: str = ""


def answer(exit: AnyExit, policy: OnProtection) -> Answer:
    """`policy` is for protection exits; every other kind has one answer."""
    match exit:
        case ProtectionExit():
            return _protection(exit, policy)
        case VoidExit():
            return Answer(Drop())
        case MmioExit():
            return Answer(Complete())
        case IoExit():
            return Answer(Drop() if exit.data is None else Complete())
        case MsrExit():
            return Answer(_FORBIDDEN)
        case HltExit():
            return Answer(state="halted", why="hlt")
        case ShutdownExit():
            return Answer(state="dead", why="triple fault")
        case InternalError():
            return Answer(state="dead", why=exit.raw)
        case _:
            return Answer(Retry())


def _protection(exit: ProtectionExit, policy: OnProtection) -> Answer:
    match policy:
        case "complete":
            return Answer(Complete())
        case "drop":
            return Answer(Drop())
        case "halt":
            return Answer(state="fenced", why=f"{exit.access} of {exit.gpa:#x} denied")
        case "intercept":
            # Once VTL1 has been told (intercepts.py); the instruction starts again when VTL1 returns.
            return Answer(Retry())
        case "inject":
            return Answer(_FORBIDDEN)
        case "relax":
            # All rights, not just the one missing: what hosts can enforce between none and all differs.
            return Answer(Retry(), relax_to=Rights.RWX)

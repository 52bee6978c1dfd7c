"""Which command is allowed in which phase, as a table."""

from engine.model.commands import (
    AnyCommand,
    Churn,
    DeleteSlot,
    End,
    Harvest,
    MoveSlot,
    Pause,
    Reset,
    Run,
    SetMask,
    SetPolicy,
    SetSlot,
    SetSpeed,
    Step,
)

LIVE = frozenset({"paused", "running", "stepping"})
ANY = LIVE | {"ended"}

ALLOWED: dict[type, frozenset[str]] = {
    Run: LIVE,
    Pause: LIVE,
    Step: frozenset({"paused"}),
    Reset: ANY,
    SetMask: LIVE,
    SetSlot: LIVE,
    DeleteSlot: LIVE,
    MoveSlot: LIVE,
    Churn: LIVE,
    SetPolicy: LIVE,
    SetSpeed: ANY,
    Harvest: ANY,
    End: LIVE,
}


def refusal(command: AnyCommand, phase: str, why: str) -> str:
    """Why the command cannot be taken now; empty when it can."""
    if phase in ALLOWED[type(command)]:
        return ""
    name = type(command).__struct_config__.tag
    if phase == "ended":
        return f"{name}: the run has ended ({why}); reset it first"
    return f"{name}: not while {phase}; pause first"

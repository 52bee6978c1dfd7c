"""What the session API says, typed for OpenAPI."""

from pydantic import BaseModel, ConfigDict

from app.sessions.live import LiveSession
from engine.model.scenario import HypervisorChoice


class SessionIn(BaseModel):
    """`auto`: what the scenario asks for, and if that is `auto`, too, KVM where the host has it."""

    model_config = ConfigDict(extra="forbid")

    scenario: str
    hypervisor: HypervisorChoice = "auto"


class EndingOut(BaseModel):
    """How the engine ended: by which signal, or with which exit status."""

    reason: str
    signal: int | None
    exit: int | None


class SessionOut(BaseModel):
    id: str
    scenario: str
    hypervisor: str
    label: str
    why_not_kvm: str
    """Empty on real KVM."""
    pid: int
    """Of the engine process."""
    viewers: int
    ended: EndingOut | None

    @classmethod
    def of(cls, session: LiveSession) -> "SessionOut":
        started, end = session.engine.started, session.ending
        return cls(
            id=session.id,
            scenario=session.scenario_id,
            hypervisor=started.capabilities.name,
            label=started.capabilities.label,
            why_not_kvm=started.why_not_kvm,
            pid=session.engine.pid,
            viewers=len(session.hub),
            ended=end and EndingOut(reason=end.reason, signal=end.signal, exit=end.exit),
        )


class MemoryOut(BaseModel):
    gpa: int
    data: str
    """Hex."""


class Done(BaseModel):
    ok: bool = True


class ErrorOut(BaseModel):
    error: str

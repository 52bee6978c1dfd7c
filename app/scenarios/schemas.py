"""What the scenario API says, typed for OpenAPI."""

from typing import Any

from pydantic import BaseModel


class ProblemOut(BaseModel):
    """One thing wrong with a scenario: where, what was written there, and what would be right."""

    path: str
    value: str
    rule: str


class Problems(BaseModel):
    problems: list[ProblemOut]


class LineOut(BaseModel):
    """One instruction: gpa, its bytes in hex, Intel syntax."""

    address: int
    code: str
    text: str


class VcpuListing(BaseModel):
    vcpu: int
    vtl: int
    """1 for what the scenario gives for VTL1 besides (`vtl1`)."""
    guest: str
    """Name of the built-in guest, or empty for assembly."""
    lines: list[LineOut]


class CheckedOut(BaseModel):
    """`id` is what saving it would give; None when there are problems."""

    problems: list[ProblemOut]
    id: str | None
    listings: list[VcpuListing]


class SavedOut(BaseModel):
    id: str
    url: str


class ScenarioSummary(BaseModel):
    id: str
    name: str
    about: str
    url: str


class ScenarioList(BaseModel):
    builtins: list[ScenarioSummary]
    own: list[ScenarioSummary]


class ScenarioOut(BaseModel):
    """`scenario` is the canonical form: every default written out, numbers in bytes."""

    id: str
    name: str
    about: str
    parent_id: str | None
    created_at: int
    """Milliseconds since 1970, UTC."""
    scenario: dict[str, Any]

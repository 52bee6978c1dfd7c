"""Templates, each with a frozen dataclass that is its whole context: a name missing from either is an error.

Besides, every template knows `version` and `page`, its own name without the suffix.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib.metadata import version
from typing import ClassVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse

from app.scenarios.schemas import ProblemOut, VcpuListing
from app.settings import ROOT


@dataclass(frozen=True)
class ScenarioView:
    """A scenario as pages show it; `yaml` is what was typed when a form comes back."""

    id: str
    name: str
    about: str
    yaml: str
    hypervisor: str = "auto"


@dataclass(frozen=True)
class View:
    template: ClassVar[str]


@dataclass(frozen=True)
class LabPage(View):
    """`lab`: the name of the lab that it, or what it was made from, belongs to; empty when to none."""

    template: ClassVar[str] = "lab.html"
    scenario: ScenarioView
    parent: ScenarioView | None
    lab: str


@dataclass(frozen=True)
class EditPage(View):
    """`scenario.id` is the one that a save will name as parent."""

    template: ClassVar[str] = "edit.html"
    scenario: ScenarioView
    parent: ScenarioView | None
    problems: Sequence[ProblemOut]
    listings: Sequence[VcpuListing]


@dataclass(frozen=True)
class ScenariosPage(View):
    """`labs`: names of labs by scenario id."""

    template: ClassVar[str] = "scenarios.html"
    builtins: Sequence[ScenarioView]
    own: Sequence[ScenarioView]
    labs: Mapping[str, str]


@dataclass(frozen=True)
class HelpPage(View):
    template: ClassVar[str] = "help.html"


@dataclass(frozen=True)
class ErrorPage(View):
    template: ClassVar[str] = "error.html"
    status: int
    error: str


@dataclass(frozen=True)
class ProblemsPart(View):
    template: ClassVar[str] = "_problems.html"
    problems: Sequence[ProblemOut]


@dataclass(frozen=True)
class ListingPart(View):
    template: ClassVar[str] = "_listing.html"
    listings: Sequence[VcpuListing]


def page(view: View, status: int = 200) -> HTMLResponse:
    """The response that shows `view`."""
    context = {field.name: getattr(view, field.name) for field in fields(view)}
    context["version"] = version("ringfence")
    context["page"] = view.template.removesuffix(".html")
    return HTMLResponse(_environment().get_template(view.template).render(context), status)


def by_htmx(connection: HTTPConnection) -> bool:
    """Whether a part of a page was asked for, and will be swapped in."""
    return connection.headers.get("hx-request") == "true"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(ROOT / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )

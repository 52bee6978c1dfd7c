"""Built-in guests as their page shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.render import View
from engine.machine.guests import GUESTS, Guest, Parameter

BASE = 0x218000
"""Where VTL1's code is on this page, as in the labs."""


@dataclass(frozen=True)
class SourceLine:
    """A line of assembly, apart from its comment."""

    code: str
    comment: str


@dataclass(frozen=True)
class GuestView:
    name: str
    about: str
    vtl: int
    parameters: Sequence[Parameter]
    lines: Sequence[SourceLine]


@dataclass(frozen=True)
class GuestsPage(View):
    """`base`: BASE."""

    template: ClassVar[str] = "guests.html"
    guests: Sequence[GuestView]
    base: int


def view() -> GuestsPage:
    """All of them, with their default parameters."""
    return GuestsPage([_guest(guest) for guest in GUESTS.values()], BASE)


def _guest(guest: Guest) -> GuestView:
    text = guest.text({}, BASE).strip("\n")
    lines = [_line(line) for line in text.split("\n")]
    return GuestView(guest.name, guest.about, guest.vtl, guest.parameters, lines)


def _line(text: str) -> SourceLine:
    """Built-in guests have no `;` but before comments."""
    code, mark, comment = text.partition(";")
    return SourceLine(code, mark + comment)

"""What a built-in guest is: assembly text made from parameters."""

from collections.abc import Callable, Mapping

import msgspec

from engine.model.address import PAGE_SIZE
from engine.model.layout import MAX_RAM


class Parameter(msgspec.Struct, frozen=True):
    """A number that shapes the guest; `low` to `high`, and a multiple of `unit`."""

    name: str
    default: int
    meaning: str
    low: int = 0
    high: int = 1 << 32
    unit: int = 1

    def fault(self, value: int) -> str:
        """The rule that `value` breaks; empty when it is fine."""
        if not self.low <= value <= self.high:
            return f"{self.name} goes from {self.low:#x} to {self.high:#x}"
        return f"{self.name} must be a multiple of {self.unit:#x}" if value % self.unit else ""


class Guest(msgspec.Struct, frozen=True):
    """A built-in guest; `source` gives its text for a full set of parameters."""

    name: str
    about: str
    parameters: tuple[Parameter, ...]
    source: Callable[[Mapping[str, int]], str]
    vtl: int = 0
    """The VTL that it is written for; `source` of one above 0 also gets `base`, where its code is."""
    pages: int = 0
    """How many it needs from `base` on."""

    def complete(self, given: Mapping[str, int]) -> dict[str, int]:
        """`given` with the defaults of the others."""
        return {parameter.name: given.get(parameter.name, parameter.default) for parameter in self.parameters}

    def text(self, given: Mapping[str, int], base: int = 0) -> str:
        """The assembly for these parameters, the others at their defaults, and for code at gpa `base`."""
        return self.source({**self.complete(given), "base": base} if self.vtl else self.complete(given))


BASE = Parameter("base", 0x200000, "gpa of the first page", 0, MAX_RAM - PAGE_SIZE, PAGE_SIZE)
PAGES = Parameter("pages", 64, "how many pages", 1, MAX_RAM // PAGE_SIZE)
ROUNDS = Parameter("rounds", 0, "rounds before HLT; 0 goes on for ever")


def rounds_end(rounds: int, label: str) -> str:
    """The end of a loop over rounds, counted in R15: for ever, or HLT after `rounds` of them."""
    if not rounds:
        return f"    jmp {label}           ; for ever"
    return f"    dec r15\n    jnz {label}           ; next round\n    hlt"


def rounds_start(rounds: int) -> str:
    """Sets R15 up for rounds_end."""
    return f"    mov r15, {rounds:#x}        ; rounds" if rounds else ""

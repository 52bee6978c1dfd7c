"""How a run of the core stops, and what the core asks of its surroundings: values, no emulator."""

from typing import Protocol

import msgspec

from engine.model.registers import Registers
from engine.model.rights import Access


class Event(msgspec.Struct, frozen=True, gc=False):
    """IN or OUT, as it happens: the registers before it, and the value going out (None: IN)."""

    port: int
    size: int
    value: int | None
    before: Registers


class Stop(msgspec.Struct, frozen=True, gc=False):
    """Why a run stopped: budget, hlt, io, fault (the fill denied an access) or exception; `executed` instructions."""

    reason: str
    executed: int
    event: Event | None = None
    error: str = ""


class Watcher(Protocol):
    """What a core asks and tells while it runs."""

    def fill(self, gva: int, access: Access) -> tuple[int, int] | None: ...

    def refused(self) -> Access | None:
        """What the last fill refused; None when it refused nothing."""
        ...

    def touched(self, access: Access, at: int, size: int) -> None: ...

"""How a register that VSM itself keeps is read and written: the two functions of a table's entry."""

from collections.abc import Callable

import msgspec

from engine.abi.tlfs.status import HvStatus
from engine.vsm.effects import AnyEffect
from engine.vsm.view import View

Changes = tuple[AnyEffect, ...]
Read = Callable[[View, int, int], int | HvStatus]
"""(view, vp, vtl) to the value."""
Write = Callable[[View, int, int, int], Changes | HvStatus]
"""(view, vp, vtl, value) to what it changes."""


class Rule(msgspec.Struct, frozen=True):
    read: Read
    write: Write | None = None
    """None: "This call cannot be used to modify the value of a read-only register" (HvCallSetVpRegisters)."""

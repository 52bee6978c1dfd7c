"""What a hypercall is: code, shape, layouts and the function that does it."""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from engine.abi.tlfs.interface import ALIGNMENT
from engine.abi.tlfs.status import HvStatus
from engine.vsm.effects import AnyEffect
from engine.vsm.view import Caller, View

Layout = type[ctypes.LittleEndianStructure]


class Parameters(msgspec.Struct, frozen=True):
    """The decoded input of a call: its header, what follows it, and the elements that are to be done now."""

    header: Any
    """A value of the call's header layout."""
    variable: bytes = b""
    """The variable header, whole quadwords."""
    reps: Sequence[Any] = ()
    """Values of the call's element layout, from the rep start index on."""


class RepResult(msgspec.Struct, frozen=True):
    """What came of it. TIMEOUT is no answer to the guest: the call goes on where it stopped (as in openvmm)."""

    status: HvStatus
    done: int = 0
    """Elements of `Parameters.reps` that were done, from the first on; 0 for a simple call."""
    effects: tuple[AnyEffect, ...] = ()
    output: bytes = b""
    """A simple call's output, or the output elements of the reps that were done."""


Function = Callable[[Caller, View, Parameters], RepResult]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A hypercall. `element` and `output_element` make it a rep call."""

    code: int
    header: Layout
    function: Function
    output: Layout | None = None
    element: Layout | None = None
    output_element: Layout | None = None
    variable: bool = False

    @property
    def is_rep(self) -> bool:
        return self.element is not None or self.output_element is not None

    @property
    def header_size(self) -> int:
        """Padded to a multiple of 8 bytes (TLFS, Hypercall Interface)."""
        return -(-ctypes.sizeof(self.header) // ALIGNMENT) * ALIGNMENT


def size_of(layout: Layout | None) -> int:
    return ctypes.sizeof(layout) if layout is not None else 0


def refuse(status: HvStatus, done: int = 0) -> RepResult:
    return RepResult(status, done)


def succeed(*effects: AnyEffect, output: bytes = b"") -> RepResult:
    """A simple call that is done."""
    return RepResult(HvStatus.SUCCESS, effects=effects, output=output)

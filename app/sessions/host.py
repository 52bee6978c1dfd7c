"""Where engines run: a host starts one for a session, wherever that is, and gives a line to it."""

import signal
from collections.abc import Callable
from typing import Protocol

import msgspec

from engine import wire
from engine.model.commands import AnyCommand
from engine.model.scenario import HypervisorChoice


class Ending(msgspec.Struct, frozen=True):
    """How an engine ended. Neither `signal` nor `exit`: it never was a process of its own, or nobody saw it end."""

    reason: str
    signal: int | None = None
    exit: int | None = None

    @property
    def expected(self) -> bool:
        return self.exit == 0


class EngineRefusedError(Exception):
    """The engine did not start; `kind` as in wire.Refused."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


class EngineGoneError(Exception):
    """The engine ended before it could answer."""


class Engine(Protocol):
    """A line to one running engine."""

    @property
    def started(self) -> wire.Started:
        """What it said when it was ready."""
        ...

    @property
    def pid(self) -> int: ...

    async def do(self, command: AnyCommand) -> str:
        """Carry out; the reason when it was refused, else empty. EngineGoneError when it died meanwhile."""
        ...

    async def look(self, gpa: int, size: int) -> wire.Seen:
        """Guest memory, or why there is none. EngineGoneError when it died meanwhile."""
        ...

    def want_keyframe(self) -> None:
        """The next frame shall be a keyframe; nothing when the engine is gone."""
        ...

    async def ended(self) -> Ending:
        """Wait for its end; any number may wait."""
        ...

    async def close(self) -> None:
        """Ask it to quit, and see to it that it does."""
        ...


class SessionHost(Protocol):
    """Starts engines."""

    async def start(
        self, scenario: bytes, hypervisor: HypervisorChoice, log_path: str, on_frame: Callable[[wire.FrameReady], None]
    ) -> Engine:
        """A machine built from canonical `scenario`, paused; EngineRefusedError when it cannot be had."""
        ...


def ending(status: int, last_words: str) -> Ending:
    """From a process's status (negative: the signal that killed it) and the last line it wrote."""
    if status == 0:
        return Ending(reason="the engine process was closed", exit=0)
    said = f": {last_words}" if last_words else ""
    if status > 0:
        return Ending(reason=f"the engine process ended with status {status}{said}", exit=status)
    return Ending(reason=f"the engine process was killed by {_signal_name(-status)}{said}", signal=-status)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

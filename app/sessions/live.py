"""One session of the server: an engine, its viewers, its owner, and in the end how it ended."""

import asyncio
import contextlib
import time
from dataclasses import dataclass

from app.sessions.host import Ending, Engine, EngineGoneError
from app.sessions.hub import Hub
from app.sessions.idle import Idle
from engine.model.commands import AnyCommand, Pause, Run
from engine.wire import Seen


@dataclass(frozen=True)
class Claim:
    """What a session counts for, from the moment that somebody asks for it."""

    owner: str
    ram: int
    """Bytes. Guests touch less, but may touch it all at any time."""


class LiveSession:
    """`ending` is None while it lives; afterwards only that can be asked."""

    def __init__(self, session_id: str, claim: Claim, scenario_id: str, engine: Engine, hub: Hub, idle: Idle) -> None:
        self.id = session_id
        self.claim = claim
        self.scenario_id = scenario_id
        self.engine = engine
        self.hub = hub
        self.idle = idle
        self.ending: Ending | None = None
        self.ended_at = 0.0
        self._why_closed = ""
        self._watch = asyncio.create_task(self._until_end())

    @property
    def owner(self) -> str:
        return self.claim.owner

    async def do(self, command: AnyCommand) -> str:
        """Carry out what its owner asked; the reason when it was refused, else empty."""
        if self.ending is not None:
            return self.ending.reason
        self.idle.used(time.monotonic())
        try:
            error = await self.engine.do(command)
        except EngineGoneError:
            return (await self.engine.ended()).reason
        except TimeoutError:
            return "the engine did not answer in time"
        if not error:
            self.idle.told(str(type(command).__struct_config__.tag))
        return error

    async def look(self, gpa: int, size: int) -> Seen:
        """Guest memory, or why there is none."""
        if self.ending is not None:
            return Seen(0, b"", self.ending.reason)
        self.idle.used(time.monotonic())
        try:
            return await self.engine.look(gpa, size)
        except EngineGoneError:
            return Seen(0, b"", (await self.engine.ended()).reason)
        except TimeoutError:
            return Seen(0, b"", "the engine did not answer in time")

    async def close(self, why: str) -> None:
        """End the engine and wait until it is gone."""
        self._why_closed = self._why_closed or why
        await self.engine.close()
        await asyncio.shield(self._watch)

    async def look_after(self) -> None:
        """Pause, resume or close it, by how long nobody has watched."""
        match self.idle.next(len(self.hub), time.monotonic()):
            case "pause":
                await self._tell(Pause())
            case "resume":
                await self._tell(Run())
            case "close":
                await self.close("closed: nobody watched it for a while")
            case "nothing":
                pass

    async def _tell(self, command: AnyCommand) -> None:
        # A refusal is an answer, too: the run has ended, there is nothing to pause.
        with contextlib.suppress(EngineGoneError, TimeoutError):
            await self.engine.do(command)

    async def _until_end(self) -> None:
        end = await self.engine.ended()
        self.ending = Ending(self._why_closed, end.signal, end.exit) if self._why_closed else end
        self.ended_at = time.monotonic()
        self.hub.ring()

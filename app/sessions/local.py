"""Engines as child processes of the server, one a session."""

import asyncio
import contextlib
import itertools
import resource
from collections.abc import Callable

import msgspec

from app.children import Child, Limits, spawn
from app.sessions.host import Ending, EngineGoneError, EngineRefusedError, ending
from engine import wire
from engine.model.commands import AnyCommand
from engine.model.scenario import HypervisorChoice

_START_SECONDS = 30.0
_REPLY_SECONDS = 10.0
_QUIT_SECONDS = 3.0
_LIMITS: Limits = {
    # A guard against an engine gone wild. Guest RAM is mapped once for each VTL and once for Unicorn: 4 GiB thrice.
    resource.RLIMIT_AS: 24 << 30,
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_NOFILE: 256,
}


class LocalHost:
    """SessionHost: `python -m engine.worker`."""

    async def start(
        self, scenario: bytes, hypervisor: HypervisorChoice, log_path: str, on_frame: Callable[[wire.FrameReady], None]
    ) -> "LocalEngine":
        child = await spawn("engine.worker", _LIMITS)
        try:
            async with asyncio.timeout(_START_SECONDS):
                started = await _handshake(child, wire.Start(scenario, hypervisor, log_path))
        except BaseException as error:
            child.kill()
            status = await child.wait(_QUIT_SECONDS)
            raise _refusal(error, ending(status, child.last_words)) from error
        return LocalEngine(child, started, on_frame)


async def _handshake(child: Child, start: wire.Start) -> wire.Started:
    hello = await wire.receive(child.reader, wire.from_engine)
    if not isinstance(hello, wire.Hello) or hello.version != wire.WIRE_VERSION:
        raise EngineRefusedError("error", f"the engine speaks another version: {hello}")
    child.writer.write(wire.pack(start))
    await child.writer.drain()
    answer = await wire.receive(child.reader, wire.from_engine)
    if isinstance(answer, wire.Refused):
        raise EngineRefusedError(answer.kind, answer.reason)
    if not isinstance(answer, wire.Started):
        raise EngineRefusedError("error", "the engine did not say whether it started")
    return answer


def _refusal(error: BaseException, end: Ending) -> BaseException:
    """What start() raises; cancellation and mistakes of ours stay what they are."""
    if isinstance(error, TimeoutError):
        return EngineRefusedError("error", f"the engine did not start within {_START_SECONDS:g} seconds")
    if isinstance(error, (asyncio.IncompleteReadError, ConnectionError, msgspec.DecodeError)):
        return EngineRefusedError("error", end.reason)
    return error


class LocalEngine:
    """Engine: one task reads all that the child says until it ends."""

    def __init__(self, child: Child, started: wire.Started, on_frame: Callable[[wire.FrameReady], None]) -> None:
        self.started = started
        self._child = child
        self._on_frame = on_frame
        self._answers: dict[int, asyncio.Future[wire.Reply | wire.Seen]] = {}
        self._ids = itertools.count(1)
        self._end = asyncio.create_task(self._read())

    @property
    def pid(self) -> int:
        return self._child.pid

    async def do(self, command: AnyCommand) -> str:
        return (await self._ask(lambda number: wire.Do(number, command))).error

    async def look(self, gpa: int, size: int) -> wire.Seen:
        answer = await self._ask(lambda number: wire.Look(number, gpa, size))
        assert isinstance(answer, wire.Seen)
        return answer

    async def _ask(self, question: Callable[[int], wire.Message]) -> wire.Reply | wire.Seen:
        """The answer with the question's number."""
        if self._end.done():
            raise EngineGoneError
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            self._child.writer.write(wire.pack(question(number)))
            async with asyncio.timeout(_REPLY_SECONDS):
                return await answer
        finally:
            del self._answers[number]

    def want_keyframe(self) -> None:
        if not self._end.done():
            self._child.writer.write(wire.pack(wire.WantKeyframe()))

    async def ended(self) -> Ending:
        return await asyncio.shield(self._end)

    async def close(self) -> None:
        if not self._end.done():
            self._child.writer.write(wire.pack(wire.Quit()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_QUIT_SECONDS):
                await self.ended()
        self._child.kill()
        await self.ended()

    async def _read(self) -> Ending:
        try:
            while True:
                self._take(await wire.receive(self._child.reader, wire.from_engine))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except (ValueError, msgspec.DecodeError):
            # It talks nonsense: nothing more it says can be trusted.
            self._child.kill()
        end = ending(await self._child.wait(_QUIT_SECONDS), self._child.last_words)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(EngineGoneError())
        return end

    def _take(self, message: wire.FromEngine) -> None:
        if isinstance(message, wire.FrameReady):
            self._on_frame(message)
        elif isinstance(message, wire.Reply | wire.Seen):
            answer = self._answers.get(message.id)
            if answer is not None and not answer.done():
                answer.set_result(message)

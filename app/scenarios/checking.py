"""The checker: one child process that reads, checks and assembles what people typed.

YAML from strangers and an assembler written in C do not belong into the server's process: here a crash, a hang or a
gigabyte costs one answer. The child lives on from text to text; after a failure a new one is made for the next.
"""

import asyncio
import resource

import msgspec

from app.children import Child, Limits, spawn
from app.scenarios.schemas import LineOut, ProblemOut, VcpuListing
from engine import wire
from engine.model.problems import Problem

_SECONDS = 10.0
"""An assembler that hangs is given up line by line, a quarter of a second each (engine.x86.keystone_process)."""
MOST_ASKING = 16
"""Texts at once, each of which may take as long; whoever comes then is told to come again."""
_LIMITS: Limits = {resource.RLIMIT_AS: 2 << 30, resource.RLIMIT_CORE: 0, resource.RLIMIT_NOFILE: 64}


class CheckText(wire.Message, frozen=True, tag="check"):
    """`text` as it was typed: YAML or JSON."""

    text: bytes
    max_ram: int


class CheckedLine(msgspec.Struct, frozen=True):
    address: int
    code: bytes
    text: str


class CheckedProgram(msgspec.Struct, frozen=True):
    """What one VTL of a vCPU runs, as VcpuListing has it."""

    vcpu: int
    vtl: int
    guest: str
    lines: list[CheckedLine]


class Checked(wire.Message, frozen=True, tag="checked"):
    """Either problems, or everything that there is to know about a good scenario."""

    problems: list[Problem]
    id: str = ""
    name: str = ""
    about: str = ""
    canonical: bytes = b""
    programs: list[CheckedProgram] = []

    def problems_out(self) -> list[ProblemOut]:
        return [ProblemOut(path=one.path, value=one.value, rule=one.rule) for one in self.problems]

    def listings_out(self) -> list[VcpuListing]:
        return [
            VcpuListing(vcpu=one.vcpu, vtl=one.vtl, guest=one.guest, lines=[_line_out(line) for line in one.lines])
            for one in self.programs
        ]


questions = msgspec.msgpack.Decoder(CheckText)
answers = msgspec.msgpack.Decoder(Checked)


class Checker:
    """Answers one text at a time; started at the first."""

    def __init__(self, max_ram: int) -> None:
        self._max_ram = max_ram
        self._child: Child | None = None
        self._turn = asyncio.Lock()
        self._asking = 0

    async def check(self, text: bytes) -> Checked:
        """What is wrong with `text`, or what it is. A text that takes the checker down is a problem itself."""
        if self._asking >= MOST_ASKING:
            return _failed("too many texts are waiting to be checked: try again in a moment")
        self._asking += 1
        try:
            return await self._in_turn(text)
        finally:
            self._asking -= 1

    async def _in_turn(self, text: bytes) -> Checked:
        async with self._turn:
            try:
                async with asyncio.timeout(_SECONDS):
                    return await self._ask(text)
            except TimeoutError:
                await self._drop()
                return _failed(f"checking must not take longer than {_SECONDS:g} seconds")
            except (asyncio.IncompleteReadError, ConnectionError):
                await self._drop()
                return _failed("checking must not need more than 2 GiB or crash the assembler")
            except BaseException:
                # Half an answer may be on its way: nobody may take it for the next one's.
                await self._drop()
                raise

    async def close(self) -> None:
        async with self._turn:
            await self._drop()

    async def _ask(self, text: bytes) -> Checked:
        if self._child is None:
            self._child = await spawn("app.scenarios.check_process", _LIMITS)
        self._child.writer.write(wire.pack(CheckText(text=text, max_ram=self._max_ram)))
        await self._child.writer.drain()
        return await wire.receive(self._child.reader, answers)

    async def _drop(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            await child.wait(1.0)


def _failed(rule: str) -> Checked:
    return Checked(problems=[Problem(path="", value="", rule=rule)])


def _line_out(line: CheckedLine) -> LineOut:
    return LineOut(address=line.address, code=line.code.hex(), text=line.text)

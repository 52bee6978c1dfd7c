"""Child processes for work that may crash, hang or eat memory: a socket to each, limits, and how it ended."""

import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Mapping

from app.settings import ROOT

log = logging.getLogger(__name__)

Limits = Mapping[int, int]
"""resource.RLIMIT_* to the most the child may have."""

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONWARNINGS", "VIRTUAL_ENV")
"""Of the environment; the rest (the secret key, the database's password) is none of a child's business."""
_TAIL = 4096
"""Bytes of the child's last words that are kept."""


class Child:
    """A running `python -m MODULE FD`, FD being its end of a socket pair."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.process = process
        self.reader = reader
        self.writer = writer
        self._last_words = bytearray()
        self._listener = asyncio.create_task(self._listen())

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def last_words(self) -> str:
        """The last non-empty line that it wrote to stderr."""
        lines = self._last_words.decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    async def wait(self, seconds: float) -> int:
        """Its status (negative: the signal), for sure: it gets `seconds` to end by itself, then SIGKILL."""
        try:
            async with asyncio.timeout(seconds):
                await self.process.wait()
        except TimeoutError:
            self.kill()
        status = await self.process.wait()
        await asyncio.wait([self._listener], timeout=1.0)
        self._listener.cancel()
        self.writer.close()
        return status

    def kill(self) -> None:
        """SIGKILL to its whole process group; nothing when it is gone."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    async def _listen(self) -> None:
        assert self.process.stderr is not None
        while part := await self.process.stderr.read(_TAIL):
            self._last_words += part
            del self._last_words[:-_TAIL]
            log.info("process %d: %s", self.pid, part.decode(errors="replace").rstrip())


async def spawn(module: str, limits: Limits) -> Child:
    """Start `module` in a process group of its own. The limits hold before it can be sent its first message."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, str(theirs.fileno()),
            pass_fds=(theirs.fileno(),), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE, env=_environment(), cwd=ROOT, process_group=0,
        )  # fmt: skip
    for kind, most in limits.items():
        _limit(process.pid, kind, most)
    reader, writer = await asyncio.open_connection(sock=ours)
    return Child(process, reader, writer)


def _limit(pid: int, kind: int, most: int) -> None:
    """Ours may be lower already; a child that died at once is noticed by its socket."""
    hard = resource.getrlimit(kind)[1]
    allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(pid, kind, (allowed, allowed))


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _KEPT if name in os.environ}

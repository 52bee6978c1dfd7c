"""Viewers of one session that a server holds at 20 frames a second each, all on this machine.

The clients share the processors with the server and the engine: with machines of their own it would hold more.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from websockets.asyncio.client import ClientConnection

from bench.figure import Figure
from tests.peers.server import Server, running_server
from tests.peers.visitor import Visitor, acknowledge

WANTED = 20.0
"""Frames a second: what a viewer sees as live."""
SECONDS = 3.0
MOST = 1024


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder)) as server:
        return asyncio.run(_doubling(server))


async def _doubling(server: Server) -> list[Figure]:
    """Twice as many until the slower half falls below; each viewer's rate is a sample."""
    visitor = Visitor(server.url)
    session = visitor.start(visitor.get("/api/scenarios")["builtins"][0]["id"])
    figures: list[Figure] = []
    count, held = 1, 0
    while count <= MOST:
        figures.append(Figure(f"{count} viewers, frames each", "/s", await _rates(visitor, session, count)))
        if figures[-1].bad_end(0.05) < WANTED:
            break
        count, held = 2 * count, count
    return [*figures, Figure(f"viewers held at {WANTED:.0f} frames/s", "viewers", (float(held),))]


async def _rates(visitor: Visitor, session: str, count: int) -> tuple[float, ...]:
    counts = await asyncio.gather(*(_watch(visitor, session) for _ in range(count)))
    assert statistics.fmean(counts) > 0, "no frame came at all"
    return tuple(counts)


async def _watch(visitor: Visitor, session: str) -> float:
    """Frames a second of one viewer that acknowledges at once, after a second to get going."""
    async with visitor.watch(session) as socket:
        await _frames(socket, 1.0)
        return await _frames(socket, SECONDS) / SECONDS


async def _frames(socket: ClientConnection, seconds: float) -> int:
    seen, end = 0, time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            async with asyncio.timeout(left):
                frame = await socket.recv()
        except TimeoutError:
            break
        assert isinstance(frame, bytes), f"the session ended: {frame}"
        await acknowledge(socket, frame)
        seen += 1
    return seen

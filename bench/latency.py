"""From an exit to the eye: Chromium on the built-in scenario, real server, engine process and socket.

Exit to encoding is the wait for the next tick, as a second viewer reads it off the frames; encoding to paint is what
the page measures itself, by host time in the frame's header. Their sum is taken over every pair of the two.
"""

import asyncio
import itertools
import random
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from bench.figure import Absent, Figure
from engine.session.frame import EXITS, RAW, decode_frame
from engine.session.status import ExitRecord
from tests.peers.absent import chromium_absent
from tests.peers.browser import running_chromium
from tests.peers.screen import Screen
from tests.peers.server import Server, running_server
from tests.peers.visitor import Visitor, acknowledge

PAINTED = 300
"""Frames to paint before the page is asked."""
FRAMES = 150
_records = msgspec.json.Decoder(list[ExitRecord])


def measure() -> list[Figure]:
    if reason := chromium_absent():
        raise Absent(reason)
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder)) as server:
        painted, drawing = in_browser(server)
        waited = asyncio.run(waits(server))
    figures = [Figure("encoding to paint", "ms", painted), Figure("of that, drawing", "ms", drawing)]
    if not waited:
        return figures
    draw = random.Random(1)
    pairs = list(itertools.product(draw.sample(waited, min(300, len(waited))), painted))
    total = Figure("exit to paint", "ms", tuple(wait + paint for wait, paint in pairs), note="every pair of the two")
    return [total, Figure("exit to encoding", "ms", tuple(waited)), *figures]


def in_browser(server: Server) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Latency and drawing time of painted frames, ms."""
    with running_chromium() as browser:
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        screen = Screen(page).open(server.url)
        screen.until(lambda: screen.frame > PAINTED, f"frame {PAINTED}")
        found: dict[str, Any] = page.evaluate(
            "({latency: window.ringfence.latency, painting: window.ringfence.painting})"
        )
    return tuple(found["latency"][-PAINTED:]), tuple(found["painting"][-PAINTED:])


async def waits(server: Server) -> list[float]:
    """Milliseconds from exits to the encoding of their frame; empty where the run's clock is not the host's."""
    visitor = Visitor(server.url)
    session = visitor.start(visitor.get("/api/scenarios")["builtins"][0]["id"])
    if visitor.get(f"/api/sessions/{session}")["why_not_kvm"]:
        return []
    found: list[float] = []
    async with visitor.watch(session) as socket:
        for _ in range(FRAMES):
            frame = await socket.recv()
            assert isinstance(frame, bytes), f"the session ended: {frame}"
            await acknowledge(socket, frame)
            header, sections = decode_frame(frame)
            exits = [one.payload for one in sections if one.kind == EXITS and one.encoding == RAW]
            found += [(header.time - record.time) / 1e6 for payload in exits for record in _records.decode(payload)]
    return found

"""Viewers that do not keep up, against a real server: they slow nobody and cost no memory."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.sync.client import ClientConnection, connect

from engine.session.frame import MERGED, Header, decode_frame
from tests.peers.server import Server

BIG = """\
name: a million pages
ram: 4GiB
hypervisor: sim
slots:
  - {slot: 0, base: 0x0, size: 4GiB, flags: [log]}
vcpus:
  - {guest: scatter, params: {base: 0x200000, pages: 1048000, rounds: 0, seed: 1}}
"""


class Lab:
    """A session of a million pages, running at full speed."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._client = httpx2.Client(base_url=server.url)
        scenario = self._client.post("/api/scenarios", content=BIG).raise_for_status().json()["id"]
        wish = {"scenario": scenario}
        self.session: dict[str, Any] = self._client.post("/api/sessions", json=wish).raise_for_status().json()
        self.command(do="set_speed", exits_per_second=None)
        self.command(do="run")

    def command(self, **fields: object) -> None:
        self._client.post(f"/api/sessions/{self.session['id']}/commands", json=fields).raise_for_status()

    @contextmanager
    def watch(self) -> Iterator[ClientConnection]:
        cookie = "; ".join(f"{name}={value}" for name, value in self._client.cookies.items())
        url = f"{self._server.url.replace('http', 'ws')}/ws/sessions/{self.session['id']}"
        headers = {"Cookie": cookie}
        with connect(url, additional_headers=headers, compression=None, max_size=None, proxy=None) as socket:
            yield socket

    def close(self) -> None:
        self._client.close()

    def server_memory(self) -> int:
        """Resident bytes of the web process."""
        status = Path(f"/proc/{self._server.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) << 10


@pytest.fixture
def lab(server: Server) -> Any:
    opened = Lab(server)
    yield opened
    opened.close()


def receive(socket: ClientConnection) -> Header:
    frame = socket.recv(timeout=5)
    assert isinstance(frame, bytes)
    return decode_frame(frame)[0]


def keep_up(socket: ClientConnection, seconds: float) -> int:
    """Acknowledge every frame; how many came."""
    frames, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        socket.send(f'{{"ack": {receive(socket).seq}}}')
        frames += 1
    return frames


def test_viewers_that_stand_still_slow_nobody_and_cost_no_memory(lab: Lab) -> None:
    with ExitStack() as stack:
        quick = stack.enter_context(lab.watch())
        alone = keep_up(quick, 2.0)
        for _ in range(20):
            stack.enter_context(lab.watch())
        keep_up(quick, 2.0)
        before = lab.server_memory()
        crowded = keep_up(quick, 4.0)
        grown = lab.server_memory() - before
    assert crowded > alone, "in twice the time"
    assert grown < 16 << 20, "an unbounded queue would hold 20 viewers x 100 frames x up to 128 KiB"


def test_whoever_comes_back_to_it_gets_all_that_it_missed_in_one_frame(lab: Lab) -> None:
    with lab.watch() as socket:
        first = [receive(socket) for _ in range(2)]
        time.sleep(1.0)
        socket.send(f'{{"ack": {first[-1].seq}}}')
        header = receive(socket)
    assert header.flags & MERGED
    assert header.first_seq == first[-1].seq + 1
    assert header.seq > header.first_seq + 5

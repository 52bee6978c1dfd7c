"""`ringfence serve` as a process of its own, and what is left when it is killed."""

import os
import signal
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.peers.server import Server, running_server


def start_session(client: httpx2.Client) -> dict[str, str]:
    scenario = client.get("/api/scenarios").json()["builtins"][0]["id"]
    return client.post("/api/sessions", json={"scenario": scenario, "hypervisor": "sim"}).json()


def gone(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not Path(f"/proc/{pid}").exists() or " Z " in Path(f"/proc/{pid}/stat").read_text():
            return True
        time.sleep(0.05)
    return False


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, scenario_text: str) -> None:
    def save(client: httpx2.Client, number: int) -> str:
        text = scenario_text.replace("a fence to test", f"scenario {number}")
        return str(client.post("/api/scenarios", content=text).raise_for_status().json()["id"])

    with running_server(tmp_path) as server, httpx2.Client(base_url=server.url) as client:
        client.get("/api/scenarios")
        with ThreadPoolExecutor(4) as pool:
            saved = list(pool.map(partial(save, client), range(20)))
        os.kill(server.pid, signal.SIGKILL)
        jar = client.cookies
    with running_server(tmp_path) as server, httpx2.Client(base_url=server.url, cookies=jar) as client:
        names = [client.get(f"/api/scenarios/{one}").json()["name"] for one in saved]
        assert names == [f"scenario {number}" for number in range(20)]
        own = client.get("/api/scenarios").json()["own"]
        assert {one["id"] for one in own} == set(saved), "the cookie's key is on disk, too"


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
def test_no_engine_outlives_the_server(server: Server, by: signal.Signals) -> None:
    with httpx2.Client(base_url=server.url) as client:
        start_session(client)
        start_session(client)
    engines = server.engines()
    assert len(engines) == 2
    os.kill(server.pid, by)
    assert all(gone(pid, 10) for pid in engines)


def test_a_killed_engine_leaves_the_server_and_the_others(server: Server) -> None:
    with httpx2.Client(base_url=server.url) as client:
        victim, other = start_session(client), start_session(client)
        os.kill(int(victim["pid"]), signal.SIGKILL)
        assert gone(int(victim["pid"]), 5)
        assert client.post(f"/api/sessions/{other['id']}/commands", json={"do": "run"}).status_code == 200
        assert client.get(f"/api/sessions/{victim['id']}").json()["ended"]["signal"] == signal.SIGKILL
        assert start_session(client)["id"]


@contextmanager
def watching(server: Server, compression: str | None = None) -> Generator[ClientConnection, None, None]:
    """The socket of a new session."""
    with httpx2.Client(base_url=server.url) as client:
        session = start_session(client)
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    url = f"{server.url.replace('http', 'ws')}/ws/sessions/{session['id']}"
    with connect(url, additional_headers={"Cookie": cookie}, compression=compression, proxy=None) as socket:
        assert isinstance(socket.recv(timeout=10), bytes)
        yield socket


def closed_with(socket: ClientConnection) -> int | None:
    """Read on until the server closes; its code."""
    with suppress(ConnectionClosed):
        while True:
            socket.recv(timeout=10)
    return socket.close_code


def test_frames_are_not_compressed_a_second_time(server: Server) -> None:
    with watching(server, compression="deflate") as socket:
        assert list(socket.protocol.extensions) == []


def test_a_message_that_is_too_long_closes_that_socket_only(server: Server) -> None:
    with watching(server) as good, watching(server) as bad:
        bad.send("x" * 70_000)
        assert closed_with(bad) == 1009
        good.ping().wait(5)
        assert good.close_code is None


def test_stopping_the_server_tells_viewers_and_does_not_wait_for_them(server: Server) -> None:
    with watching(server) as socket:
        os.kill(server.pid, signal.SIGTERM)
        assert closed_with(socket) == 1012
        assert gone(server.pid, 10)


def test_two_servers_started_on_one_empty_folder_share_it(tmp_path: Path) -> None:
    """Both migrate, both make a key: one database, one key, and a cookie of one holds for the other."""
    with ExitStack() as running, ThreadPoolExecutor(2) as pool, httpx2.Client() as client:
        starts: list[AbstractContextManager[Server]] = [running_server(tmp_path) for _ in range(2)]
        one, two = pool.map(lambda start: running.enter_context(start), starts)
        client.get(f"{one.url}/api/scenarios")
        assert "set-cookie" not in client.get(f"{two.url}/api/scenarios").headers


def test_postgresql_keeps_what_sqlite_would(tmp_path: Path, postgres_url: str, scenario_text: str) -> None:
    """The whole server on it: migrated at the start, saved, killed, and read again by another."""
    with running_server(tmp_path, database_url=postgres_url) as server, httpx2.Client(base_url=server.url) as client:
        saved = client.post("/api/scenarios", content=scenario_text).raise_for_status().json()["id"]
        assert start_session(client)["hypervisor"] == "sim"
        os.kill(server.pid, signal.SIGKILL)
    with running_server(tmp_path, database_url=postgres_url) as server, httpx2.Client(base_url=server.url) as client:
        assert client.get(f"/api/scenarios/{saved}").json()["name"] == "a fence to test"
    assert not list(tmp_path.glob("*.sqlite3*"))

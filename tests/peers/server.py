"""The lab as a person starts it: `ringfence serve` on a free loopback port, with a folder of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

START_SECONDS = 60
PROGRAM = Path(sys.executable).parent / "ringfence"


class Server:
    """A running lab; `url` has no slash at its end, `pid` is the web process."""

    def __init__(self, url: str, process: "subprocess.Popen[bytes]", folder: Path) -> None:
        self.url, self.folder, self._process = url, folder, process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")

    def engines(self) -> list[int]:
        """pids of its engine processes, oldest first; none once it has stopped."""
        return [pid for pid in _children(self.pid) if "engine.worker" in _command_line(pid)] if self.alive else []

    def kill_engine(self, pid: int) -> None:
        """SIGKILL one engine process: what the out-of-memory killer does."""
        assert pid in self.engines()
        os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, as an operator would; returns when it is gone."""
        _end(self._process)

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return bytes(answer.read())


@contextmanager
def running_server(folder: Path, **settings: str) -> Generator[Server]:
    """`settings` become RINGFENCE_ variables. The server, and with it its engines, end with the block."""
    port = free_port()
    own = {"RINGFENCE_HOST": "127.0.0.1", "RINGFENCE_PORT": str(port), "RINGFENCE_VAR": str(folder)}
    given = {f"RINGFENCE_{name.upper()}": value for name, value in settings.items()}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RINGFENCE_")}
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [PROGRAM, "serve"], env=inherited | own | given, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    server = Server(f"http://127.0.0.1:{port}", process, folder)
    try:
        _wait_until_up(server)
        yield server
    finally:
        _end(process)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_up(server: Server) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            server.get("/api/scenarios")
        except (URLError, OSError):
            if not server.alive or time.monotonic() > deadline:
                raise AssertionError(f"the server did not come up:\n{server.log}") from None
            time.sleep(0.1)
        else:
            return


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)


def _children(parent: int) -> list[int]:
    text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    threads = Path(f"/proc/{parent}/task").glob("*/children")
    found = {int(pid) for pid in text.split()}
    for thread in threads:
        found.update(int(pid) for pid in thread.read_text().split())
    return sorted(found)


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""

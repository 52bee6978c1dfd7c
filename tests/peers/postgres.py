"""A PostgreSQL server of the tests' own: own data folder, a Unix socket and no TCP, ended by its pid.

PostgreSQL refuses to run as root, so root hands the folder and the process to the user `postgres`, or to `nobody`.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from tests.peers.absent import postgres_bin

SUPERUSER = "ringfence"
PORT = 5432
START_SECONDS = 60
_databases = count(1)


class Postgres:
    """A running server; `folder` holds its socket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def dsn(self, database: str) -> str:
        return f"host={self.folder} port={PORT} user={SUPERUSER} dbname={database}"

    def new_database(self) -> str:
        """URL of a new, empty database."""
        name = f"test{next(_databases)}"
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql+psycopg://{SUPERUSER}@/{name}?host={self.folder}&port={PORT}"


@contextmanager
def running_postgres() -> Generator[Postgres]:
    """initdb, start, wait until it answers; stop and remove at the end."""
    programs = postgres_bin()
    assert programs is not None, "ask postgres_absent first"
    folder = Path(tempfile.mkdtemp(prefix="ringfence-pg-"))
    try:
        identity = _identity(folder)
        _initialise(programs, folder, identity)
        yield from _serve(programs, folder, identity)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _identity(folder: Path) -> dict[str, Any]:
    """Arguments for subprocess: which user the server runs as; it is given the folder."""
    if os.geteuid() != 0:
        return {}
    user = next(entry for entry in pwd.getpwall() if entry.pw_name in ("postgres", "nobody"))
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _initialise(programs: Path, folder: Path, identity: dict[str, Any]) -> None:
    command = [programs / "initdb", "--pgdata", folder / "data", "--username", SUPERUSER]
    options = ["--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, cwd=folder, check=False, **identity)
    assert done.returncode == 0, done.stderr


def _serve(programs: Path, folder: Path, identity: dict[str, Any]) -> Iterator[Postgres]:
    settings = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
    command = [programs / "postgres", "-D", folder / "data", "-p", str(PORT), *settings]
    with (folder / "log").open("wb") as log:
        process: subprocess.Popen[Any] = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **identity)
    try:
        server = Postgres(folder)
        _wait_until_up(server, process)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_up(server: Postgres, process: "subprocess.Popen[Any]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(server.dsn("postgres")).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((server.folder / "log").read_text()) from None
            time.sleep(0.05)
        else:
            return

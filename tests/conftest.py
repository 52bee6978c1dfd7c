"""Fixtures that several folders share. What this machine lacks is skipped, and said again at the end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import tests.peers.patience  # noqa: F401
from tests.peers.absent import absences, kvm_absent, postgres_absent
from tests.peers.postgres import Postgres, running_postgres
from tests.peers.server import Server, running_server


@pytest.fixture(scope="session")
def kvm() -> None:
    """Ask for it to be skipped, loudly, where /dev/kvm does not open."""
    if reason := kvm_absent():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL server for the whole run."""
    if reason := postgres_absent():
        pytest.skip(reason)
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """URL of a new, empty PostgreSQL database."""
    return postgres.new_database()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A lab of this test's own, with an empty database."""
    with running_server(tmp_path / "var") as started:
        yield started


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    missing = absences()
    if not missing:
        return
    terminalreporter.section("NOT TESTED ON THIS MACHINE", yellow=True, bold=True)
    for name, reason in missing.items():
        terminalreporter.write_line(f"{name}: {reason}")

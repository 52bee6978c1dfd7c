"""Databases and servers of a test's own: real engines, real checker, nothing replaced."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.db.engine import Database
from app.db.migrate import upgrade
from app.main import create_app
from app.settings import Settings

URL = "http://127.0.0.1:8000"

SCENARIO = """\
name: a fence to test
ram: 4MiB
hypervisor: sim
slots:
  - {slot: 0, base: 0x0, size: 2MiB}
  - {slot: 1, base: 0x200000, size: 2MiB, flags: [log]}
vcpus:
  - {guest: touch, params: {base: 0x200000, pages: 64}}
masks:
  - {vtl: 0, base: 0x210000, pages: 4, mask: R}
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Both kinds, each with the newest schema."""
    if request.param == "postgresql":
        url = str(request.getfixturevalue("postgres_url"))
    else:
        url = f"sqlite+aiosqlite:///{tmp_path / 'lab.sqlite3'}"
    upgrade(url)
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def scenario_text() -> str:
    """A small scenario that runs on the simulator until somebody stops it."""
    return SCENARIO


@pytest.fixture
def make_client(tmp_path: Path) -> Iterator[Callable[..., TestClient]]:
    """Servers in this process, on SQLite; keyword arguments are settings."""
    opened: list[TestClient] = []

    def make(**given: object) -> TestClient:
        settings = Settings.model_validate({"var": tmp_path / "var"} | given)
        settings.var.mkdir(exist_ok=True)
        upgrade(settings.database)
        client = TestClient(create_app(settings), base_url=URL, follow_redirects=False)
        opened.append(client.__enter__())
        return client

    yield make
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def client(make_client: Callable[..., TestClient]) -> TestClient:
    return make_client()


@pytest.fixture
def saved(client: TestClient) -> str:
    """The id of the test scenario, saved."""
    return str(client.post("/api/scenarios", content=SCENARIO).json()["id"])

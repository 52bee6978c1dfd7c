"""Databases and servers of a test's own: real engines, real checker, nothing replaced."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
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


def opened(settings: Settings) -> TestClient:
    """A server in this process, to be entered."""
    settings.var.mkdir(exist_ok=True)
    upgrade(settings.database)
    return TestClient(create_app(settings), base_url=URL, follow_redirects=False)


@pytest.fixture
def make_client(tmp_path: Path) -> Iterator[Callable[..., TestClient]]:
    """Servers of one test, on SQLite; keyword arguments are settings."""
    with ExitStack() as running:

        def make(**given: object) -> TestClient:
            return running.enter_context(opened(Settings.model_validate({"var": tmp_path / "var"} | given)))

        yield make


@pytest.fixture(scope="module")
def shared_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with opened(Settings(var=tmp_path_factory.mktemp("var"))) as client:
        yield client


@pytest.fixture
def client(shared_client: TestClient) -> Iterator[TestClient]:
    """Somebody new at a server that a whole test file uses; their sessions end with the test."""
    shared_client.cookies.clear()
    shared_client.get("/api/scenarios")
    ours = dict(shared_client.cookies)
    yield shared_client
    shared_client.cookies.clear()
    shared_client.cookies.update(ours)
    for session in shared_client.get("/api/sessions").json():
        shared_client.delete(f"/api/sessions/{session['id']}")


@pytest.fixture
def saved(client: TestClient) -> str:
    """The id of the test scenario, saved."""
    return str(client.post("/api/scenarios", content=SCENARIO).json()["id"])

"""What was committed is there, what failed is not, and two writers wait for each other."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from app.db.engine import Database
from app.db.migrate import upgrade
from app.scenarios.repository import ScenarioRepository


def row(scenario_id: str) -> dict[str, object]:
    return {
        "id": scenario_id,
        "sha256": scenario_id * 2,
        "name": "n",
        "about": "",
        "body": "{}",
        "parent_id": None,
        "created_at": 1_800_000_000_000,
    }


@pytest.fixture
async def sqlite(tmp_path: Path) -> Database:
    url = f"sqlite+aiosqlite:///{tmp_path / 'lab.sqlite3'}"
    await asyncio.to_thread(upgrade, url)
    return Database(url)


async def test_sqlite_is_tuned_on_every_connection(sqlite: Database) -> None:
    """WAL with FULL: a commit that was reported survives a power cut; foreign keys hold; a lock is waited for."""
    expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}
    async with sqlite.read() as one, sqlite.read() as two:
        for session in (one, two):
            found = {name: await session.scalar(text(f"PRAGMA {name}")) for name in expected}
            assert found == expected
    await sqlite.close()


async def test_a_block_that_ends_well_is_committed(database: Database) -> None:
    async with database.write() as session:
        await ScenarioRepository(session).add(row("a"))
    async with database.read() as session:
        assert await ScenarioRepository(session).get("a") is not None


async def add_and_fail(database: Database) -> None:
    async with database.write() as session:
        await ScenarioRepository(session).add(row("a"))
        raise ZeroDivisionError


async def test_a_block_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        await add_and_fail(database)
    async with database.read() as session:
        assert await ScenarioRepository(session).get("a") is None


async def test_many_writers_at_once_all_succeed(database: Database) -> None:
    """Each reads before it writes: with deferred transactions SQLite would refuse all but one."""

    async def write(number: int) -> None:
        async with database.write() as session:
            repository = ScenarioRepository(session)
            assert await repository.get(f"s{number}") is None
            await asyncio.sleep(0.005)
            await repository.add(row(f"s{number}"))

    await asyncio.gather(*(write(number) for number in range(12)))
    async with database.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM scenario")) == 12


async def test_a_reader_is_not_kept_waiting_by_a_writer(database: Database) -> None:
    async with database.write() as writer:
        await ScenarioRepository(writer).add(row("a"))
        async with asyncio.timeout(2), database.read() as reader:
            assert await ScenarioRepository(reader).get("a") is None

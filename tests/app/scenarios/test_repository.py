"""Scenarios are added once and never changed; lists are each owner's own."""

import asyncio

import pytest

from app.db.engine import Database
from app.scenarios.repository import ScenarioRepository


def row(scenario_id: str, name: str = "n", parent: str | None = None) -> dict[str, object]:
    return {
        "id": scenario_id,
        "sha256": scenario_id.rjust(64, "0"),
        "name": name,
        "about": "",
        "body": '{"name": "Zaun um eine Seite: \\u0000 ü"}',
        "parent_id": parent,
        "created_at": 1_800_000_000_000,
    }


async def test_the_first_to_save_an_id_decides_what_it_shows(database: Database) -> None:
    async with database.write() as session:
        await ScenarioRepository(session).add(row("a", name="first"))
    async with database.write() as session:
        await ScenarioRepository(session).add(row("a", name="second"))
    async with database.read() as session:
        scenario = await ScenarioRepository(session).get("a")
        assert scenario is not None
        assert scenario.name == "first"
        assert scenario.created_at == 1_800_000_000_000
        assert "ü" in scenario.body


async def test_two_may_save_the_same_at_the_same_moment(database: Database) -> None:
    async def save() -> None:
        async with database.write() as session:
            await ScenarioRepository(session).add(row("a"))
            await ScenarioRepository(session).keep("me", "a", 1)

    await asyncio.gather(*(save() for _ in range(8)))
    async with database.read() as session:
        assert len(await ScenarioRepository(session).kept_by("me", 10)) == 1


async def test_a_list_is_its_owner_s_newest_first(database: Database) -> None:
    async with database.write() as session:
        repository = ScenarioRepository(session)
        for when, scenario_id in enumerate(("a", "b", "c")):
            await repository.add(row(scenario_id))
            await repository.keep("me", scenario_id, when)
        await repository.keep("you", "b", 9)
    async with database.read() as session:
        repository = ScenarioRepository(session)
        assert [one.id for one in await repository.kept_by("me", 10)] == ["c", "b", "a"]
        assert [one.id for one in await repository.kept_by("me", 2)] == ["c", "b"]
        assert [one.id for one in await repository.kept_by("you", 10)] == ["b"]
        assert list(await repository.kept_by("nobody", 10)) == []


async def test_a_fork_knows_its_parent(database: Database) -> None:
    async with database.write() as session:
        await ScenarioRepository(session).add(row("a"))
        await ScenarioRepository(session).add(row("b", parent="a"))
    async with database.read() as session:
        scenario = await ScenarioRepository(session).get("b")
        assert scenario is not None
        assert scenario.parent_id == "a"


@pytest.mark.parametrize("scenario_id", ["\0", "a" * 5000, "\ud800", "\U0001f600"])
async def test_an_id_that_cannot_be_is_nobody_s(database: Database, scenario_id: str) -> None:
    async with database.read() as session:
        assert await ScenarioRepository(session).get(scenario_id) is None

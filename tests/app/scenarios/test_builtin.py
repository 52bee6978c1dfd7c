"""The built-in scenarios are stored like everybody's, so their links outlive an edition."""

from collections.abc import Callable

from fastapi.testclient import TestClient

from app.scenarios.builtin import FIRST, FOLDER
from app.scenarios.checking import Checker
from engine.model.layout import MAX_RAM


async def test_every_one_is_right_and_has_a_text() -> None:
    checker = Checker(MAX_RAM)
    paths = sorted(FOLDER.glob("*/scenario.yaml"))
    assert [str(path) for path in paths if (await checker.check(path.read_bytes())).problems] == []
    assert all((path.parent / "lab.md").exists() for path in paths)
    assert any(path.parent.name == FIRST for path in paths)
    await checker.close()


def test_they_are_there_from_the_start_and_stay_the_same(make_client: Callable[..., TestClient]) -> None:
    lists = [make_client().get("/api/scenarios").json()["builtins"] for _ in range(2)]
    assert lists[0] == lists[1]
    assert len({one["id"] for one in lists[0]}) == len(lists[0]) >= 3


def test_the_front_page_shows_the_first(client: TestClient) -> None:
    first = client.get("/api/scenarios").json()["builtins"][0]["id"]
    assert f'data-scenario="{first}"' in client.get("/").text

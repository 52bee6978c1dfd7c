"""The scenarios that come with the program: labs/NAME/scenario.yaml, stored like everybody's, so that links to an old
edition outlive the file."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.db.engine import Database
from app.scenarios.checking import Checked, Checker
from app.scenarios.service import ScenarioService
from app.settings import ROOT

FOLDER = ROOT / "labs"
FIRST = "fence-a-page"
"""What the front page shows."""


@dataclass(frozen=True)
class Builtins:
    """Content ids, the front page's first, and which lab each belongs to."""

    ids: tuple[str, ...]
    labs: Mapping[str, str]
    """By the lab's name, which is its folder's."""

    @property
    def default(self) -> str:
        return self.ids[0]

    def lab_of(self, *ids: str) -> str:
        """The lab of the first of these scenarios that has one; empty when none has."""
        names = {scenario: name for name, scenario in self.labs.items()}
        return next((names[one] for one in ids if one in names), "")


async def store_builtins(database: Database, checker: Checker) -> Builtins:
    """Check and store them all; ValueError names the file that is not right."""
    paths = await asyncio.to_thread(_paths)
    checked = [await _check(path, checker) for path in paths]
    async with database.write() as session:
        for one in checked:
            await ScenarioService(session).store(one)
    ids = tuple(one.id for one in checked)
    return Builtins(ids, dict(zip((path.parent.name for path in paths), ids, strict=True)))


def _paths() -> list[Path]:
    paths = sorted(FOLDER.glob("*/scenario.yaml"), key=lambda path: (path.parent.name != FIRST, path.parent.name))
    if not paths:
        raise FileNotFoundError(f"{FOLDER} holds no scenario")
    return paths


async def _check(path: Path, checker: Checker) -> Checked:
    checked = await checker.check(await asyncio.to_thread(path.read_bytes))
    if checked.problems:
        raise ValueError(f"{path}: " + "; ".join(map(str, checked.problems)))
    return checked

"""Rules of scenarios: what is stored under which id, and what people get to see of it."""

import hashlib
import json
import time
from collections.abc import Sequence

import msgspec
import yaml
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Scenario
from app.errors import not_found
from app.render import ScenarioView
from app.scenarios.checking import Checked
from app.scenarios.repository import ScenarioRepository
from app.scenarios.schemas import ScenarioOut, ScenarioSummary
from engine.model.text import from_canonical
from engine.model.yaml_text import to_yaml

_SHOWN = 200
"""Entries of an owner's list that pages show."""


class ScenarioService:
    """Bound to one database session."""

    def __init__(self, session: AsyncSession) -> None:
        self._repository = ScenarioRepository(session)

    async def get(self, scenario_id: str) -> Scenario:
        """The stored scenario; 404 when there is none."""
        scenario = await self._repository.get(scenario_id)
        if scenario is None:
            raise not_found()
        return scenario

    async def parent(self, scenario: Scenario) -> Scenario | None:
        return await self._repository.get(scenario.parent_id) if scenario.parent_id else None

    async def own(self, owner: str) -> Sequence[Scenario]:
        """What the owner saved, newest first."""
        return await self._repository.kept_by(owner, _SHOWN)

    async def store(self, checked: Checked, parent_id: str | None = None) -> None:
        """Put a good scenario where its id leads to; an id that is taken holds the same scenario already."""
        known_parent = parent_id and parent_id != checked.id and await self._repository.get(parent_id)
        row = {
            "id": checked.id,
            "sha256": hashlib.sha256(checked.canonical).hexdigest(),
            "name": checked.name,
            "about": checked.about,
            "body": checked.canonical.decode(),
            "parent_id": parent_id if known_parent else None,
            "created_at": _now(),
        }
        await self._repository.add(row)

    async def save(self, owner: str, checked: Checked, parent_id: str | None) -> None:
        """Store, and put it on the owner's list."""
        await self.store(checked, parent_id)
        await self._repository.keep(owner, checked.id, _now())


def summary(scenario: Scenario) -> ScenarioSummary:
    return ScenarioSummary(id=scenario.id, name=scenario.name, about=scenario.about, url=f"/s/{scenario.id}")


def view(scenario: Scenario) -> ScenarioView:
    return ScenarioView(scenario.id, scenario.name, scenario.about, text(scenario))


def text(scenario: Scenario) -> str:
    """As a person would write it."""
    return to_yaml(from_canonical(scenario.body.encode()))


def plain_json(scenario: Scenario) -> str:
    """The same as JSON, in the form that can be read in again."""
    return json.dumps(yaml.safe_load(text(scenario)), indent=2) + "\n"


def full(scenario: Scenario) -> ScenarioOut:
    return ScenarioOut(
        id=scenario.id,
        name=scenario.name,
        about=scenario.about,
        parent_id=scenario.parent_id,
        created_at=scenario.created_at,
        scenario=msgspec.json.decode(scenario.body),
    )


def _now() -> int:
    return time.time_ns() // 1_000_000

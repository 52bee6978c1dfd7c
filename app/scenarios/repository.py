"""Every query about scenarios."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Base, Saved, Scenario


class ScenarioRepository:
    """Bound to one session; commits nothing itself."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, scenario_id: str) -> Scenario | None:
        # Ids are base32. PostgreSQL has no NUL in its texts, and refuses it as a mistake of ours.
        known = scenario_id.isascii() and scenario_id.isalnum()
        return await self._session.get(Scenario, scenario_id) if known else None

    async def add(self, row: dict[str, Any]) -> None:
        """Store it unless it is there: two people may save the same scenario at the same moment."""
        await self._insert_new(Scenario, row)

    async def keep(self, owner_id: str, scenario_id: str, saved_at: int) -> None:
        """Put it on the owner's list unless it is there."""
        await self._insert_new(Saved, {"owner_id": owner_id, "scenario_id": scenario_id, "saved_at": saved_at})

    async def kept_by(self, owner_id: str, most: int) -> Sequence[Scenario]:
        """The owner's list, newest first."""
        query = (
            select(Scenario)
            .join(Saved, Saved.scenario_id == Scenario.id)
            .where(Saved.owner_id == owner_id)
            .order_by(Saved.saved_at.desc(), Scenario.id)
            .limit(most)
        )
        return (await self._session.scalars(query)).all()

    async def _insert_new(self, table: type[Base], row: dict[str, Any]) -> None:
        dialect = self._session.get_bind().dialect.name
        insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
        await self._session.execute(insert(table).values(row).on_conflict_do_nothing())

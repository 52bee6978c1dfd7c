"""Runs migrations on the database of the settings, or on the URL that app.db.migrate passes in."""

import asyncio

from alembic import context
from sqlalchemy import Connection

from app.db.engine import make_engine
from app.db.models import Base
from app.settings import Settings

LOCK = 0x72696E6766656E63
"""Of servers that start together on one PostgreSQL, one migrates and the others wait; SQLite has BEGIN IMMEDIATE."""


def migrate(connection: Connection) -> None:
    """SQLite cannot alter a table: render_as_batch copies it instead."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


async def connect_and_migrate() -> None:
    engine = make_engine(context.config.attributes.get("url") or Settings().database)
    async with engine.execution_options(writes=True).connect() as connection:
        await connection.run_sync(migrate)
        await connection.commit()
    await engine.dispose()


if context.is_offline_mode():
    raise SystemExit("offline mode is not supported: give it a database")
asyncio.run(connect_and_migrate())

"""Connections: SQLite tuned for a server, PostgreSQL through psycopg 3; one session to read, one to write."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

_PRAGMAS = (
    # First, so that the switch to WAL itself waits for a lock instead of failing.
    "PRAGMA busy_timeout=5000",
    "PRAGMA journal_mode=WAL",
    # FULL: in WAL, NORMAL may lose the last commits at a power cut, and a save was promised to last.
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
)


class Database:
    """One engine and the two ways to use it. Nothing is connected until first use."""

    def __init__(self, url: str) -> None:
        self.engine = make_engine(url)
        self._reading = async_sessionmaker(self.engine, expire_on_commit=False)
        self._writing = async_sessionmaker(self.engine.execution_options(writes=True), expire_on_commit=False)

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncSession, None]:
        """A session that sees one state of the database and leaves it as it is."""
        async with self._reading() as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncSession, None]:
        """A session that has been committed once the block is left, or rolled back by an exception."""
        async with self._writing.begin() as session:
            yield session

    async def close(self) -> None:
        await self.engine.dispose()


def make_engine(url: str) -> AsyncEngine:
    """An async engine for `sqlite+aiosqlite:` or `postgresql:` (SQLAlchemy 2.1: psycopg 3)."""
    engine = create_async_engine(url, pool_pre_ping=url.startswith("postgresql"))
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _tune)
        event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _tune(connection: DBAPIConnection, _record: Any) -> None:
    # Python's sqlite3 would otherwise begin transactions by itself, deferred and only before writes.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin(connection: Connection) -> None:
    # A deferred transaction that turns from reading to writing fails at once, whatever busy_timeout says.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

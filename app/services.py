"""What a running server consists of, and how a request gets at it."""

import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from app.conformance.service import Conformance
from app.db.engine import Database
from app.doctor.service import Doctor
from app.scenarios.builtin import Builtins
from app.scenarios.checking import Checker
from app.security.limits import Buckets
from app.sessions.service import Sessions
from app.settings import Settings


@dataclass(frozen=True)
class Services:
    """Made by the lifespan, one for each server."""

    settings: Settings
    database: Database
    checker: Checker
    doctor: Doctor
    conformance: Conformance
    sessions: Sessions
    builtins: Builtins
    writes: Buckets
    """How often one person may change something."""


def services(connection: HTTPConnection) -> Services:
    return connection.state.services


def owner(connection: HTTPConnection) -> str:
    """Who asks: app.security.cookies has put it there."""
    return connection.scope["owner"]


async def reading(services: Annotated[Services, Depends(services)]) -> AsyncGenerator[AsyncSession, None]:
    async with services.database.read() as session:
        yield session


async def writing(services: Annotated[Services, Depends(services)]) -> AsyncGenerator[AsyncSession, None]:
    async with services.database.write() as session:
        yield session


def unhurried(services: Annotated[Services, Depends(services)], owner: Annotated[str, Depends(owner)]) -> None:
    """429 for whoever writes faster than a person, or their dragging mouse, does."""
    if not services.writes.take(owner, time.monotonic()):
        raise HTTPException(429, "too many requests: wait a second", headers={"Retry-After": "1"})


AllServices = Annotated[Services, Depends(services)]
Owner = Annotated[str, Depends(owner)]
Reading = Annotated[AsyncSession, Depends(reading, scope="function")]
Writing = Annotated[AsyncSession, Depends(writing, scope="function")]
"""Scope "function": committed before the response leaves, so that what was acknowledged is on disk."""
Unhurried = Depends(unhurried)

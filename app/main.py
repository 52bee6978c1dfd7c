"""The application: put together here, and nowhere at import."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from importlib.metadata import version
from typing import TypedDict

from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.staticfiles import StaticFiles

from app import errors
from app.conformance import routes as conformance
from app.conformance.service import Conformance
from app.db.engine import Database
from app.doctor import routes as doctor
from app.doctor.service import Doctor
from app.guests import routes as guests
from app.labs import routes as labs
from app.scenarios import pages
from app.scenarios import routes as scenarios
from app.scenarios.builtin import store_builtins
from app.scenarios.checking import Checker
from app.security.body import BodyLimit
from app.security.cookies import OwnerCookie, Owners
from app.security.csp import SecurityHeaders
from app.security.limits import MAX_BODY, Buckets
from app.security.origin import OriginCheck
from app.services import Services
from app.sessions import routes as sessions
from app.sessions import socket
from app.sessions.host import SessionHost
from app.sessions.local import LocalHost
from app.sessions.service import Sessions
from app.settings import ROOT, Settings
from engine.session.merge import merge

_WRITES_PER_SECOND, _WRITES_AT_ONCE = 50.0, 100.0


class State(TypedDict):
    """What a request finds in its state."""

    services: Services


def create_app(settings: Settings | None = None, host: SessionHost | None = None) -> FastAPI:
    """A server for `settings`, with engines from `host`; both made from the environment when not given.

    The database must have the newest schema (app.db.migrate).
    """
    settings = settings or Settings()
    app = FastAPI(
        title="ringfence",
        version=version("ringfence"),
        openapi_url="/api/openapi.json",
        # Their pages load scripts from another host.
        docs_url=None,
        redoc_url=None,
        lifespan=lambda _: _lifespan(settings, host or LocalHost()),
    )
    reading = (pages.router, guests.router, labs.router)
    for router in (scenarios.router, sessions.router, doctor.router, socket.router, *reading, *conformance.routers):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=ROOT / "static", check_dir=False), name="static")
    errors.install(app)
    _guard(app, settings)
    return app


def _guard(app: FastAPI, settings: Settings) -> None:
    """The last one added is the first to see a request."""
    app.add_middleware(BodyLimit, most=MAX_BODY)
    app.add_middleware(OwnerCookie, owners=Owners(settings.signing_key()))
    app.add_middleware(OriginCheck)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=settings.allowed_hosts, www_redirect=False)
    app.add_middleware(SecurityHeaders)


@contextlib.asynccontextmanager
async def _lifespan(settings: Settings, host: SessionHost) -> AsyncGenerator[State, None]:
    writes = Buckets(_WRITES_PER_SECOND, _WRITES_AT_ONCE)
    async with contextlib.AsyncExitStack() as closing:
        database = Database(settings.database)
        closing.push_async_callback(database.close)
        checker = Checker(settings.max_ram)
        closing.push_async_callback(checker.close)
        builtins = await store_builtins(database, checker)
        live = Sessions(settings, host, merge)
        closing.push_async_callback(live.close)
        closing.callback(asyncio.create_task(live.look_after()).cancel)
        examination = Conformance(sorted(settings.hypervisors))
        closing.push_async_callback(examination.close)
        yield {"services": Services(settings, database, checker, Doctor(), examination, live, builtins, writes)}

"""Sessions of this server: who may have how many, how they start, and that none is left over."""

import asyncio
import logging
import secrets
import time

from app.errors import not_found
from app.sessions.event_logs import new_log
from app.sessions.host import Engine, EngineRefusedError, SessionHost
from app.sessions.hub import Hub
from app.sessions.idle import Idle
from app.sessions.live import Claim, LiveSession
from app.sessions.viewer import Merge
from app.settings import Settings
from engine.model.scenario import HypervisorChoice
from engine.model.text import from_canonical

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_REMEMBERED = 600.0
"""Seconds for which an ended session can still be asked how it ended."""
_SPARED = 5.0
"""Seconds without a viewer until a session may make room for its owner's next; a reload takes less."""


class CapReachedError(Exception):
    """No room; `whole_server` says whose limit it is."""

    def __init__(self, reason: str, whole_server: bool) -> None:
        super().__init__(reason)
        self.whole_server = whole_server


class Sessions:
    """All sessions, live and lately ended."""

    def __init__(self, settings: Settings, host: SessionHost, merge: Merge) -> None:
        self._settings = settings
        self._host = host
        self._merge = merge
        self._sessions: dict[str, LiveSession] = {}
        self._starting: list[Claim] = []

    def of(self, owner: str) -> list[LiveSession]:
        """The owner's, oldest first."""
        return [session for session in self._sessions.values() if session.owner == owner]

    def find(self, session_id: str, owner: str | None) -> LiveSession | None:
        """The owner's session; None for anybody else."""
        session = self._sessions.get(session_id)
        return session if session is not None and session.owner == owner else None

    def get(self, session_id: str, owner: str) -> LiveSession:
        """The owner's session; 404 for anybody else."""
        session = self.find(session_id, owner)
        if session is None:
            raise not_found()
        return session

    async def start(self, owner: str, scenario_id: str, scenario: bytes, choice: HypervisorChoice) -> LiveSession:
        """A new session, paused. CapReachedError, EngineRefusedError."""
        hypervisor = self._allowed(choice)
        claim = Claim(owner, from_canonical(scenario).ram)
        await self._make_room(claim)
        self._starting.append(claim)
        try:
            session = await self._start(claim, scenario_id, scenario, hypervisor)
        finally:
            self._starting.remove(claim)
        self._sessions[session.id] = session
        return session

    async def look_after(self) -> None:
        """For ever: every session is looked after, none can keep the others waiting."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await asyncio.sleep(_LOOK_SECONDS)
                self._forget()
                for session in self._live():
                    tasks.create_task(_safely(session))

    async def close(self) -> None:
        """End every engine."""
        await asyncio.gather(*(session.close("the server was stopped") for session in self._live()))

    def _live(self) -> list[LiveSession]:
        return [session for session in self._sessions.values() if session.ending is None]

    def _forget(self) -> None:
        old = time.monotonic() - _REMEMBERED
        for session in list(self._sessions.values()):
            if session.ending is not None and session.ended_at < old and not len(session.hub):
                del self._sessions[session.id]

    def _allowed(self, choice: HypervisorChoice) -> HypervisorChoice:
        allowed = self._settings.hypervisors
        if choice == "auto":
            return "auto" if len(allowed) > 1 else next(iter(allowed))
        if choice not in allowed:
            raise EngineRefusedError("missing", f"{choice} is switched off on this server (RINGFENCE_HYPERVISORS)")
        return choice

    async def _make_room(self, claim: Claim) -> None:
        owner = claim.owner
        if self._count(owner) >= self._settings.max_sessions_per_owner or self._lacks(claim):
            await self._close_forgotten(owner)
        if self._count(owner) >= self._settings.max_sessions_per_owner:
            raise CapReachedError(f"you have {self._count(owner)} sessions running: close one first", False)
        if len(self._claims()) >= self._settings.max_sessions:
            raise CapReachedError("this server has as many sessions running as it may: try again later", True)
        if lacking := self._lacks(claim):
            raise CapReachedError(f"this server's memory is taken: {lacking >> 20} MiB too little; try later", True)

    def _claims(self) -> list[Claim]:
        return [session.claim for session in self._live()] + self._starting

    def _count(self, owner: str) -> int:
        return sum(claim.owner == owner for claim in self._claims())

    def _lacks(self, claim: Claim) -> int:
        """Bytes of guest RAM that are missing for one more; 0 when it fits."""
        return max(0, sum(one.ram for one in self._claims()) + claim.ram - self._settings.ram_total)

    async def _close_forgotten(self, owner: str) -> None:
        """Close the owner's session that nobody has watched for longest: a tab that was closed says no goodbye."""
        now = time.monotonic()
        unwatched = [one for one in self._live() if one.owner == owner and not len(one.hub)]
        oldest = max(unwatched, key=lambda one: one.idle.unwatched(now), default=None)
        if oldest is not None and oldest.idle.unwatched(now) >= _SPARED:
            await oldest.close("closed to make room for a newer session of yours")

    async def _start(
        self, claim: Claim, scenario_id: str, scenario: bytes, hypervisor: HypervisorChoice
    ) -> LiveSession:
        session_id = secrets.token_urlsafe(12)
        live = {session.id for session in self._live()}
        try:
            log_path = await asyncio.to_thread(new_log, self._settings.var / "logs", session_id, live)
        except OSError as error:
            raise EngineRefusedError("error", f"the session's event log cannot be made: {error}") from error
        line = _Line()
        hub = Hub(self._merge, line.want_keyframe)
        line.engine = await self._host.start(scenario, hypervisor, str(log_path), hub.publish)
        idle = Idle(self._settings.pause_after, self._settings.close_after, time.monotonic())
        log.info("session %s: engine process %d", session_id, line.engine.pid)
        return LiveSession(session_id, claim, scenario_id, line.engine, hub, idle)


async def _safely(session: LiveSession) -> None:
    try:
        await session.look_after()
    except Exception:
        log.exception("session %s could not be looked after", session.id)


class _Line:
    """Lets the hub, which the engine's frames need at its start, reach the engine later."""

    engine: Engine | None = None

    def want_keyframe(self) -> None:
        if self.engine is not None:
            self.engine.want_keyframe()

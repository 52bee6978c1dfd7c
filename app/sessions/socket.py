"""The websocket of one viewer: frames out, as far as its credit goes; acknowledgements in, and nothing else."""

import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Annotated

import anyio
import msgspec
from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from app.errors import refuse
from app.security.limits import TokenBucket
from app.services import AllServices
from app.sessions.host import Ending
from app.sessions.live import LiveSession
from app.sessions.viewer import BadAckError

router = APIRouter()

MOST_VIEWERS = 1024
"""Of one session."""
_ACKS_PER_SECOND = 200.0
_GOODBYE_SECONDS = 2.0
_LONGEST_MESSAGE = 64
"""Characters of `{"ack": 4294967295}` and some."""

NORMAL, NOT_TEXT, BROKEN_RULES, ENGINE_DIED, TOO_SLOW = 1000, 1003, 1008, 1011, 1013


class Ack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ack: Annotated[int, msgspec.Meta(ge=1, le=2**32 - 1)]


class Ended(msgspec.Struct, frozen=True, tag_field="type", tag="ended"):
    """The last thing a viewer is told."""

    reason: str
    signal: int | None
    exit: int | None


_acks = msgspec.json.Decoder(Ack)


@router.websocket("/ws/sessions/{session_id}")
async def watch(socket: WebSocket, session_id: str, services: AllServices) -> None:
    """Refused with an HTTP status before it is accepted: 404 unless the cookie is the owner's."""
    session = services.sessions.find(session_id, socket.scope["owner"])
    if session is None:
        await refuse(socket.scope, socket.receive, socket.send, 404, "there is nothing here")
    elif len(session.hub) >= MOST_VIEWERS:
        await refuse(socket.scope, socket.receive, socket.send, 503, "this session has as many viewers as it may")
    else:
        await socket.accept()
        code = await Watching(socket, session, services.settings.stall_after).run()
        # A client that reads nothing must not hold us here, and one that has gone needs no goodbye.
        with contextlib.suppress(WebSocketDisconnect, RuntimeError), anyio.move_on_after(_GOODBYE_SECONDS):
            await socket.close(code)


class Watching:
    """Two tasks, one for each direction; when either is done, so is the other."""

    def __init__(self, socket: WebSocket, session: LiveSession, stall_after: float) -> None:
        self._socket = socket
        self._session = session
        self._stall_after = stall_after
        self._seat = session.hub.join()
        self._last_ack = time.monotonic()

    async def run(self) -> int:
        """Serve until the session ends, the client goes or breaks a rule; the code to close with."""
        codes: list[int] = []

        async def until_done(direction: Callable[[], Awaitable[int]]) -> None:
            # Sending to a client that has just gone raises; that it has gone is nothing to report.
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                codes.append(await direction())
            both.cancel_scope.cancel()

        try:
            async with anyio.create_task_group() as both:
                both.start_soon(until_done, self._send)
                both.start_soon(until_done, self._listen)
        finally:
            self._session.hub.leave(self._seat)
        return codes[0] if codes else NORMAL

    async def _send(self) -> int:
        while self._session.ending is None:
            frame = self._seat.viewer.take()
            if frame is None:
                if self._stalled():
                    return TOO_SLOW
                await self._seat.bell.wait()
                self._seat.bell.clear()
            elif not await self._sent(frame):
                return TOO_SLOW
        return await self._say_goodbye(self._session.ending)

    async def _sent(self, frame: bytes) -> bool:
        with anyio.move_on_after(self._stall_after) as limit:
            await self._socket.send_bytes(frame)
        return not limit.cancelled_caught

    def _stalled(self) -> bool:
        viewer = self._seat.viewer
        return viewer.stalled and viewer.waiting > 0 and time.monotonic() - self._last_ack > self._stall_after

    async def _say_goodbye(self, end: Ending) -> int:
        with anyio.move_on_after(_GOODBYE_SECONDS):
            message = msgspec.json.encode(Ended(end.reason, end.signal, end.exit))
            await self._socket.send_text(message.decode())
        return NORMAL if end.expected else ENGINE_DIED

    async def _listen(self) -> int:
        bucket = TokenBucket(_ACKS_PER_SECOND, _ACKS_PER_SECOND, time.monotonic())
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return NORMAL
            text = message.get("text")
            if text is None:
                return NOT_TEXT
            if not bucket.take(time.monotonic()) or not self._acknowledged(text):
                return BROKEN_RULES

    def _acknowledged(self, text: str) -> bool:
        if len(text) > _LONGEST_MESSAGE:
            return False
        try:
            self._seat.viewer.acknowledge(_acks.decode(text).ack)
        except (msgspec.DecodeError, BadAckError):
            return False
        self._last_ack = time.monotonic()
        self._seat.bell.set()
        return True

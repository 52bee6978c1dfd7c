"""No request body beyond the limit, whether it says its length or not."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import refuse

_TOO_LARGE = "the request is too large: at most {} bytes"


class BodyLimit:
    """ASGI middleware. Starlette's own answers in plain text only, which our errors never are."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app = app
        self.most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif self._announced(scope) > self.most:
            await refuse(scope, receive, send, 413, _TOO_LARGE.format(self.most))
        else:
            await self.app(scope, self._counted(receive), send)

    def _announced(self, scope: Scope) -> int:
        length = Headers(scope=scope).get("content-length", "")
        return int(length) if length.isdecimal() else 0

    def _counted(self, receive: Receive) -> Receive:
        total = 0

        async def receive_counted() -> Message:
            nonlocal total
            message = await receive()
            total += len(message.get("body", b""))
            if total > self.most:
                raise HTTPException(413, _TOO_LARGE.format(self.most))
            return message

        return receive_counted

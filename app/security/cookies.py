"""Who somebody is: a random id in a signed cookie, and nothing else. No accounts, no personal data."""

import secrets
from http.cookies import SimpleCookie

from itsdangerous import BadSignature, Signer
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "ringfence"
_MAX_AGE = 400 * 86400
"""Seconds; browsers keep no cookie longer (RFC 6265bis)."""


class Owners:
    """Makes and checks cookie values."""

    def __init__(self, key: str) -> None:
        self._signer = Signer(key, salt="ringfence.owner")

    def owner(self, cookie: str | None) -> str | None:
        """The id in a cookie that we signed; None for any other."""
        try:
            return self._signer.unsign(cookie).decode() if cookie else None
        except BadSignature:
            return None

    def cookie(self, owner: str) -> str:
        return self._signer.sign(owner).decode()

    def header(self, owner: str, secure: bool) -> str:
        """The Set-Cookie value. Lax: other sites may link here, but not post."""
        jar = SimpleCookie({COOKIE: self.cookie(owner)})
        jar[COOKIE].update({"path": "/", "max-age": str(_MAX_AGE), "samesite": "Lax"})
        return jar[COOKIE].OutputString() + "; HttpOnly" + ("; Secure" if secure else "")


class OwnerCookie:
    """ASGI middleware: puts the owner's id into `scope["owner"]` (None: no valid cookie, on a websocket)."""

    def __init__(self, app: ASGIApp, owners: Owners) -> None:
        self.app = app
        self.owners = owners

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        scope["owner"] = self.owners.owner(HTTPConnection(scope).cookies.get(COOKIE))
        if scope["type"] == "http" and scope["owner"] is None and not scope["path"].startswith("/static/"):
            scope["owner"] = secrets.token_urlsafe(16)
            send = self._introducing(scope, send)
        await self.app(scope, receive, send)
        return None

    def _introducing(self, scope: Scope, send: Send) -> Send:
        header = self.owners.header(scope["owner"], scope["scheme"] == "https")

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("Set-Cookie", header)
            await send(message)

        return send_with_cookie

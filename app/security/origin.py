"""Requests that change something must come from our own pages: decided by headers that a page cannot forge.

The rule of Go 1.25's CrossOriginProtection: Sec-Fetch-Site where the browser sends it, else Origin against Host.
Without either the client is no browser, and carries no cookie that it was not given. Websockets are not covered by
the same-origin policy at all, so every handshake is checked like a write.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import refuse

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_PORTS = {"http": 80, "https": 443}


def same_origin(headers: Headers, scheme: str) -> bool:
    """May a request with these headers change something? `scheme`: http or https, as the client sees the server."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None:
        return True
    ours = _origin(f"{scheme}://{headers.get('host', '')}")
    return ours is not None and _origin(origin) == ours


def _origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port; None when it is not an http origin (`null`, for one)."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme]


class OriginCheck:
    """ASGI middleware: 403 for a write or a websocket handshake from elsewhere, before anything else sees it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _guarded(scope) and not same_origin(Headers(scope=scope), _http_scheme(scope)):
            await refuse(scope, receive, send, 403, "this request came from another site")
        else:
            await self.app(scope, receive, send)


def _guarded(scope: Scope) -> bool:
    return scope["type"] == "websocket" or (scope["type"] == "http" and scope["method"] not in _SAFE)


def _http_scheme(scope: Scope) -> str:
    return "https" if scope["scheme"] in ("https", "wss") else "http"

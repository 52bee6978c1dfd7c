"""Somebody without a browser: keeps the cookie, speaks the REST API, opens sockets as a page would."""

import http.cookiejar
import json
import urllib.request
from typing import Any

from websockets.asyncio.client import ClientConnection, connect


class Visitor:
    """One person at one server; `url` has no slash at its end."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._cookies))

    def get(self, path: str) -> Any:
        """The answer's JSON; HTTPError for an error status."""
        with self._opener.open(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def post(self, path: str, body: object) -> Any:
        """`body` goes as JSON; a str or bytes as it is."""
        data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        headers = {"content-type": "application/json", "origin": self.url}
        request = urllib.request.Request(self.url + path, data, headers, method="POST")
        with self._opener.open(request, timeout=30) as answer:
            return json.load(answer)

    def start(self, scenario: str, hypervisor: str = "auto") -> str:
        """A running session of a stored scenario; its id."""
        session = str(self.post("/api/sessions", {"scenario": scenario, "hypervisor": hypervisor})["id"])
        self.command(session, {"do": "run"})
        return session

    def command(self, session: str, command: dict[str, Any]) -> None:
        self.post(f"/api/sessions/{session}/commands", command)

    def watch(self, session: str) -> connect:
        """The session's socket, to be awaited or entered; ClientConnection."""
        cookie = "; ".join(f"{one.name}={one.value}" for one in self._cookies)
        address = f"{self.url.replace('http', 'ws', 1)}/ws/sessions/{session}"
        headers = {"cookie": cookie, "origin": self.url}
        return connect(address, additional_headers=headers, compression=None, max_size=None, proxy=None)


async def acknowledge(socket: ClientConnection, frame: bytes) -> None:
    """Say that the frame was shown: its seq is at byte 4 (docs/frame.md)."""
    await socket.send(json.dumps({"ack": int.from_bytes(frame[4:8], "little")}))

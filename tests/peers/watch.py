"""Listens to everything that a browser context asks for, and to what it complains of."""

from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext


class Watch:
    """What a browser context asked for and what went wrong in it."""

    def __init__(self, context: BrowserContext) -> None:
        self.hosts: set[str] = set()
        self.complaints: list[str] = []
        self.expected: list[str] = []
        """Parts of complaints that the test itself provokes."""
        context.on("request", lambda request: self._note(request.url))
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("console", lambda line: self._hear(line.type, line.text))
        context.on("page", lambda page: page.on("websocket", lambda socket: self._note(socket.url)))

    def _note(self, url: str) -> None:
        if (parts := urlsplit(url)).scheme not in ("data", "blob", "about"):
            self.hosts.add(parts.netloc)

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def unexpected(self) -> list[str]:
        return [said for said in self.complaints if not any(part in said for part in self.expected)]

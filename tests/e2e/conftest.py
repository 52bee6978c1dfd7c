"""A real lab, a real Chromium, and a page that must call nobody else and complain of nothing."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.peers.absent import chromium_absent, kvm_absent
from tests.peers.browser import running_chromium
from tests.peers.server import Server, running_server

SCREEN = {"width": 1366, "height": 768}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A module's own: Playwright's event loop must be gone before any other test wants one."""
    if reason := chromium_absent():
        pytest.skip(reason)
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A lab on whatever this machine has, for all tests of a module."""
    with running_server(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture(scope="module", params=["kvm", "sim"])
def either_lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A lab on real KVM, and one whose sessions may only use the simulator."""
    if request.param == "kvm" and (reason := kvm_absent()):
        pytest.skip(reason)
    with running_server(tmp_path_factory.mktemp("lab"), hypervisors=f'["{request.param}"]') as server:
        yield server


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


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A visitor with a new cookie jar; sessions that it started are closed at the end."""
    opened = chromium.new_context(viewport=SCREEN, accept_downloads=True)
    opened.set_default_timeout(20_000)
    yield opened
    opened.close()


@pytest.fixture
def watch(context: BrowserContext) -> Iterator[Watch]:
    """At the end: no request left this machine's loopback, nothing complained in the console."""
    watching = Watch(context)
    yield watching
    assert {host.rpartition(":")[0] for host in watching.hosts} <= {"127.0.0.1"}
    assert watching.unexpected() == []


@pytest.fixture
def page(context: BrowserContext, watch: Watch) -> Iterator[Page]:
    opened = context.new_page()
    yield opened
    _close_sessions(opened)


def _close_sessions(page: Page) -> None:
    """An engine left running would slow the tests that follow."""
    site = urlsplit(page.url)
    if site.netloc:
        base = f"{site.scheme}://{site.netloc}"
        for session in page.request.get(f"{base}/api/sessions").json():
            page.request.delete(f"{base}/api/sessions/{session['id']}", headers={"origin": base})


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    return tmp_path / "downloads"

"""A real lab, a real Chromium, and a page that must call nobody else and complain of nothing."""

import contextlib
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, ViewportSize

from tests.peers.absent import chromium_absent, kvm_absent
from tests.peers.browser import running_chromium
from tests.peers.server import Server, running_server
from tests.peers.watch import Watch

SCREEN = ViewportSize(width=1366, height=768)


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
    # A server that the test itself stopped took its engines along.
    with contextlib.suppress(Error):
        _close_sessions(opened)


def _close_sessions(page: Page) -> None:
    """An engine left running would slow the tests that follow."""
    site = urlsplit(page.url)
    if site.netloc:
        base = f"{site.scheme}://{site.netloc}"
        for session in page.request.get(f"{base}/api/sessions").json():
            page.request.delete(f"{base}/api/sessions/{session['id']}", headers={"origin": base})

"""The system's Chromium under Playwright, kept from calling anywhere by itself."""

from collections.abc import Generator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tests.peers.absent import chromium_path

QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


@contextmanager
def running_chromium() -> Generator[Browser]:
    """A headless browser; each test opens a context of its own."""
    path = chromium_path()
    assert path is not None, "ask chromium_absent first"
    with sync_playwright() as playwright:
        # No sandbox inside the sandbox: containers and root have no user namespaces to give.
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET), chromium_sandbox=False)
        yield browser
        browser.close()

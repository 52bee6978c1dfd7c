"""axe finds nothing serious on any page, in either theme and in the large type of Present."""

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.e2e.axe import grave
from tests.e2e.scenarios import QUIET, saved
from tests.peers.screen import Screen
from tests.peers.server import Server
from tests.peers.watch import Watch


@pytest.mark.parametrize(
    "path",
    [
        "/scenarios",
        "/help",
        "/guests",
        "/labs/kernel-2-under-a-monitor",
        "/conformance",
        "/edit",
        "/s/aaaaaaaaaaaaaaaaaaaa",
    ],
)
def test_a_document(page: Page, lab: Server, watch: Watch, path: str) -> None:
    watch.expected.append("404")
    base = saved(page.request, lab.url, QUIET) if path == "/edit" else lab.url
    page.goto(base + path)
    assert grave(page) == []


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_lab(page: Page, lab: Server, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    screen = Screen(page).open(saved(page.request, lab.url, QUIET))
    screen.drag((0.02, 0.52), (0.5, 0.6))
    assert grave(page) == []


def test_the_lab_presented_with_its_dialogs(page: Page, lab: Server) -> None:
    Screen(page).open(lab.url)
    page.keyboard.press("p")
    for opener in ("Share", "Table", "Help and keys", "+ add"):
        page.get_by_role("button", name=opener, exact=True).click()
        assert grave(page) == []
        page.keyboard.press("Escape")

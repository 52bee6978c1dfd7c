"""A guest of 1,048,576 pages is shown live."""

from playwright.sync_api import Page, expect

from tests.e2e.scenarios import LARGE, saved
from tests.peers.screen import Screen
from tests.peers.server import Server


def test_four_gibibytes(page: Page, lab: Server) -> None:
    screen = Screen(page).open(saved(page.request, lab.url, LARGE))
    expect(page.locator("#map-size")).to_contain_text("1,048,576 pages")
    before, seen = screen.frame, screen.pixels()
    page.wait_for_timeout(3000)
    assert screen.frame > before
    assert screen.pixels() != seen

"""Take a right from pages that a running guest writes, see the denied accesses, give it back; on both hypervisors."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.scenarios import QUIET, saved
from tests.peers.screen import Screen
from tests.peers.server import Server

MIDDLE = 0.52
"""In a guest of 4 MiB the second slot begins half way down the map; its first pages are the ones that are stored to."""


@pytest.fixture
def screen(page: Page, either_lab: Server) -> Screen:
    return Screen(page).open(saved(page.request, either_lab.url, QUIET))


def test_the_map_lives(screen: Screen) -> None:
    screen.page.get_by_role("button", name="Reset").click()
    screen.reaches("paused")
    cold = screen.pixels()
    screen.run_button.click()
    screen.reaches("running")
    screen.until(lambda: screen.pixels() != cold, "the first dirty page on the map")


def test_twenty_frames_a_second(screen: Screen) -> None:
    """The promise that the page makes of itself; a second that a busy machine took away may be tried again."""

    def frames_in_a_second() -> int:
        before = screen.frame
        screen.page.wait_for_timeout(1000)
        return screen.frame - before

    assert any(frames_in_a_second() >= 20 for _ in range(15))


def test_fence_deny_and_clear(screen: Screen) -> None:
    assert screen.exits("protection") == 0
    base = screen.drag((0.02, MIDDLE), (0.98, MIDDLE))
    assert 0x200000 <= base < 0x240000
    screen.right("W").click()
    screen.denials_grow()
    screen.stream.get_by_role("option").first.click()
    detail = screen.page.get_by_role("region", name="One exit in detail")
    expect(detail).to_contain_text("protection")
    expect(detail).to_contain_text(re.compile(r"\b(mov|inc|add)\b"))
    screen.drag((0.02, MIDDLE), (0.98, MIDDLE))
    screen.right("clear").click()
    expect(screen.page.locator("#pop-what")).to_contain_text("not fenced")
    assert screen.denials_rest()


def test_the_keyboard_alone_can_fence(screen: Screen) -> None:
    keyboard = screen.page.keyboard
    keyboard.press("/")
    keyboard.type("0x210000")
    keyboard.press("Enter")
    expect(screen.rights).to_contain_text("0x210000")
    keyboard.press("Enter")
    expect(screen.right("R")).to_be_focused()
    keyboard.press("Tab")
    keyboard.press("Space")
    expect(screen.page.locator("#pop-what")).to_contain_text("no W")
    screen.denials_grow()
    screen.reaches("running")


def test_what_this_host_cannot_enforce_is_refused_with_the_reason(screen: Screen) -> None:
    """Stock KVM cannot take X alone; the simulator can, and for each ring apart: the page must tell the truth."""
    screen.drag((0.02, MIDDLE), (0.98, MIDDLE))
    button = screen.right("K?X")
    if button.get_attribute("aria-disabled") == "true":
        expect(screen.page.locator("#pop-reason")).to_contain_text(re.compile("execute|X "))
    else:
        button.click()
        expect(screen.page.locator("#pop-what")).to_contain_text(re.compile("no K?X"))
        expect(screen.page.locator("#toasts")).to_be_empty()

"""Run, pause, step, reset; slots and policy under a running guest."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.scenarios import QUIET, saved
from tests.peers.screen import Screen
from tests.peers.server import Server


@pytest.fixture
def screen(page: Page, lab: Server) -> Screen:
    return Screen(page).open(saved(page.request, lab.url, QUIET))


def test_the_keyboard_runs_and_pauses(screen: Screen) -> None:
    screen.page.keyboard.press("Space")
    screen.reaches("paused")
    screen.page.keyboard.press("Space")
    screen.reaches("running")


def test_the_page_says_what_it_runs_on(screen: Screen) -> None:
    badge = screen.page.locator("#badge")
    expect(badge).to_have_text(re.compile("real KVM|simulator", re.IGNORECASE))


def test_a_step_is_one_exit(screen: Screen) -> None:
    fence_everything(screen)
    screen.denials_grow()
    screen.run_button.click()
    screen.reaches("paused")
    screen.wait_frames(1)
    before = screen.exits("protection")
    screen.page.keyboard.press(".")
    screen.wait_exits("protection", lambda count: count == before + 1)
    screen.reaches("paused")


def test_reset_begins_anew(screen: Screen) -> None:
    fence_everything(screen)
    screen.denials_grow()
    screen.page.get_by_role("button", name="Reset").click()
    screen.wait_exits("protection", lambda count: count == 0)


def test_halt_stops_the_vcpu_that_is_denied(screen: Screen) -> None:
    screen.page.get_by_role("button", name="halt").click()
    fence_everything(screen)
    expect(screen.page.locator("#vcpus")).to_contain_text(re.compile("fenced|halted"))


def test_churn_shows_exits_in_the_void(screen: Screen) -> None:
    screen.page.locator("#slots").get_by_text("0x200000").click()
    screen.page.get_by_role("switch", name=re.compile("churn")).check()
    screen.wait_exits("void", lambda count: count > 0)


def fence_everything(screen: Screen) -> None:
    screen.drag((0.02, 0.52), (0.98, 0.98))
    screen.right("W").click()

"""The conformance page: run it, watch it, come back to it."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.axe import grave
from tests.peers.server import Server


def examine(page: Page, lab: Server) -> None:
    page.goto(f"{lab.url}/conformance")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("#report")).to_have_attribute("data-state", "done", timeout=120_000)


def test_every_check_gets_an_answer_in_letter_and_word_and_impossible_ones_a_reason(page: Page, lab: Server) -> None:
    examine(page, lab)
    expect(page.get_by_role("status")).to_have_text("Nothing failed.")
    assert page.locator(".verdict.open, .verdict.fail").count() == 0
    assert page.locator(".verdict.pass").count() > 200
    impossible = page.locator(".verdict.cannot")
    for one in impossible.all():
        assert re.fullmatch(r"N not possible here", one.inner_text())
        reason = one.get_attribute("data-tip")
        assert reason
        assert one.locator("xpath=following-sibling::small").inner_text() == reason
    impossible.first.hover()
    expect(page.get_by_role("tooltip")).to_be_visible()


def test_a_reload_finds_the_examination_under_way_and_its_end(page: Page, lab: Server) -> None:
    page.goto(f"{lab.url}/conformance")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("#report")).to_have_attribute("data-state", "running")
    page.reload()
    assert page.locator("#report").get_attribute("data-state") in ("running", "done")
    expect(page.locator("#report")).to_have_attribute("data-state", "done", timeout=120_000)
    assert page.locator(".verdict.open").count() == 0


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_nothing_serious_in_a_report(page: Page, lab: Server, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    examine(page, lab)
    assert grave(page) == []

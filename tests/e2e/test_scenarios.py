"""Edit, save, share, fork, export and import: a link never changes what it shows, a form never loses what was typed."""

import json
import re
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.scenarios import QUIET, saved
from tests.peers.screen import Screen
from tests.peers.server import Server
from tests.peers.watch import Watch

LINK = re.compile(r"/s/([a-z2-7]+)$")


def text_field(page: Page) -> Locator:
    return page.locator("textarea")


def edit(page: Page, address: str) -> None:
    page.goto(address + "/edit")
    expect(text_field(page)).not_to_be_empty()


def save(page: Page) -> str:
    """Press Save and wait for the permanent link; its id."""
    page.get_by_role("button", name=re.compile("^save", re.IGNORECASE)).click()
    page.wait_for_url(LINK)
    found = LINK.search(page.url)
    assert found
    return found[1]


def test_save_and_reopen_by_link(page: Page, lab: Server, chromium: Browser) -> None:
    edit(page, saved(page.request, lab.url, QUIET))
    text = text_field(page).input_value().replace("Nothing is fenced", "Mine, and it stays")
    text_field(page).fill(text)
    kept = save(page)
    Screen(page).reaches("running")
    expect(page.get_by_role("heading", level=1)).to_have_text("Mine, and it stays")
    stranger = chromium.new_context()
    other = stranger.new_page()
    other.goto(f"{lab.url}/s/{kept}/edit")
    expect(text_field(other)).to_have_value(text_field_of(page, kept, lab))
    stranger.close()


def text_field_of(page: Page, scenario: str, lab: Server) -> str:
    page.goto(f"{lab.url}/s/{scenario}/edit")
    return text_field(page).input_value()


def test_a_link_never_changes_what_it_shows(page: Page, lab: Server) -> None:
    address = saved(page.request, lab.url, QUIET)
    before = page.request.get(address + "/scenario.json").body()
    edit(page, address)
    text_field(page).fill(QUIET.replace("pages: 64", "pages: 32"))
    fork = save(page)
    assert not address.endswith(fork)
    assert page.request.get(address + "/scenario.json").body() == before
    assert saved(page.request, lab.url, QUIET) == address


def test_a_bad_scenario_names_the_field_and_keeps_what_was_typed(page: Page, lab: Server, watch: Watch) -> None:
    watch.expected.append("422")
    edit(page, saved(page.request, lab.url, QUIET))
    bad = QUIET.replace("0x200000, size: 2MiB", "0x200800, size: 2MiB") + "colour: green\n"
    text_field(page).fill(bad)
    page.get_by_role("button", name=re.compile("^save", re.IGNORECASE)).click()
    problems = page.locator("main")
    expect(problems).to_contain_text("slots[1].base")
    expect(problems).to_contain_text("colour")
    assert text_field(page).input_value() == bad
    assert page.url.endswith("/edit")


def test_a_mistake_in_the_assembly_names_its_line(page: Page, lab: Server, watch: Watch) -> None:
    watch.expected.append("422")
    edit(page, saved(page.request, lab.url, QUIET))
    text_field(page).fill(QUIET.replace("again: inc qword", "again: ink qword"))
    page.get_by_role("button", name=re.compile("^check", re.IGNORECASE)).click()
    expect(page.locator("main")).to_contain_text("vcpus[1].asm")
    expect(page.locator("main")).to_contain_text(re.compile(r"line 2|\b2:"))


def test_export_and_import(page: Page, lab: Server, tmp_path: Path) -> None:
    address = saved(page.request, lab.url, QUIET)
    file = tmp_path / "exported.yaml"
    file.write_bytes(page.request.get(address + "/scenario.yaml").body())
    edit(page, f"{lab.url}/s/{builtin(page, lab)}")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Import into the editor").click()
    expect(text_field(page)).to_have_value(re.compile("Nothing is fenced"))
    assert address.endswith(save(page))


def builtin(page: Page, lab: Server) -> str:
    return str(json.loads(page.request.get(f"{lab.url}/api/scenarios").text())["builtins"][0]["id"])


def test_own_scenarios_are_listed(page: Page, lab: Server) -> None:
    saved(page.request, lab.url, QUIET)
    page.goto(lab.url + "/scenarios")
    expect(page.get_by_role("link", name="Nothing is fenced").first).to_be_visible()


def test_every_card_holds_what_is_in_it(page: Page, lab: Server) -> None:
    page.goto(lab.url + "/scenarios")
    cards = page.locator(".card")
    expect(cards.first).to_be_visible()
    wider = cards.evaluate_all("all => all.filter((card) => card.scrollWidth > card.clientWidth).length")
    assert (cards.count() > 5, wider) == (True, 0)

"""An engine process is killed under the page: server and neighbours live on, the page says so and can start again."""

import re
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.peers.screen import Screen
from tests.peers.server import Server
from tests.peers.watch import Watch


def test_kill_see_and_recover(server: Server, page: Page, chromium: Browser) -> None:
    mine = Screen(page).open(server.url)
    (engine,) = server.engines()
    neighbour = chromium.new_context()
    other = Screen(neighbour.new_page()).open(server.url)
    mine.wait_exits("protection", lambda count: count > 0)
    server.kill_engine(engine)
    banner = page.locator("#banner")
    expect(banner).to_be_visible()
    expect(banner).to_contain_text(re.compile("SIGKILL|signal 9|killed", re.IGNORECASE))
    other.wait_frames(10)
    assert server.alive
    the_last_exits_are_kept(mine)
    banner.get_by_role("button", name=re.compile("again|anew|new", re.IGNORECASE)).click()
    mine.reaches("running")
    mine.wait_frames(3)
    expect(banner).to_be_hidden()
    assert engine not in server.engines()
    neighbour.close()


def the_last_exits_are_kept(screen: Screen) -> None:
    """They stand in the stream, and each can still be looked at."""
    exits = screen.stream.get_by_role("option")
    kept = exits.all_inner_texts()
    assert len(kept) > 3
    assert any("denied" in text for text in kept)
    exits.filter(has_text="denied").first.click()
    detail = screen.page.locator("#detail")
    expect(detail).to_contain_text("protection")
    expect(detail.locator("mark")).to_be_visible()
    assert exits.all_inner_texts() == kept


def test_a_reload_comes_back_to_the_same_machine(server: Server, page: Page) -> None:
    screen = Screen(page).open(server.url)
    before = server.engines()
    page.reload()
    screen.reaches("running")
    screen.wait_frames(3)
    assert server.engines() == before


def test_two_tabs_are_two_machines(server: Server, page: Page) -> None:
    first = Screen(page).open(server.url)
    second = Screen(page.context.new_page()).open(server.url)
    assert len(server.engines()) == 2
    second.page.keyboard.press("Space")
    second.reaches("paused")
    first.wait_frames(10)
    first.reaches("running")


def test_the_server_stops_and_takes_its_engines_along(server: Server, page: Page, watch: Watch) -> None:
    watch.expected += ["ERR_CONNECTION_REFUSED", "WebSocket connection"]
    Screen(page).open(server.url)
    (engine,) = server.engines()
    server.stop()
    assert not Path(f"/proc/{engine}").exists()
    expect(page.locator("#banner")).to_be_visible()

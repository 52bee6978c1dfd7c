"""A guest that looks for its hypervisor, on screen: the registers by name, and a call through a page of its own."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.axe import grave
from tests.e2e.scenarios import saved
from tests.peers.screen import Screen
from tests.peers.server import Server

LAB = Path("labs/find-the-hypervisor/scenario.yaml").read_text()


@pytest.fixture
def screen(page: Page, either_lab: Server) -> Screen:
    return Screen(page).open(saved(page.request, either_lab.url, LAB), "ended")


def test_a_synthetic_register_is_told_by_name(screen: Screen) -> None:
    screen.stream.get_by_role("option").filter(has_text="wrmsr HYPERCALL").filter(has_text="0x218001").click()
    detail = screen.page.get_by_role("region", name="One exit in detail")
    expect(detail).to_contain_text("wrote 0x218001 to MSR 0x40000001, the synthetic register HYPERCALL of VTL0.")
    expect(detail).to_contain_text("0x40000001 HYPERCALL")
    assert grave(screen.page) == []


def test_a_register_that_is_read_shows_what_the_guest_got(screen: Screen) -> None:
    """The page that firmware left."""
    expect(screen.stream.get_by_role("option").filter(has_text="rdmsr HYPERCALL")).to_contain_text("→ 0x7001")


def test_a_call_comes_from_the_page_that_the_guest_placed(screen: Screen) -> None:
    screen.stream.get_by_role("option").filter(has_text="EnablePartitionVtl").click()
    detail = screen.page.get_by_role("region", name="One exit in detail")
    expect(detail).to_contain_text("rip0x218000")

"""A guest that fences itself, on screen: hypercalls and VTL switches by name, who set a mask; on both hypervisors."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.axe import grave
from tests.e2e.scenarios import saved
from tests.peers.screen import Screen
from tests.peers.server import Server

LAB = Path("labs/guest-fences-itself/scenario.yaml").read_text()
FENCED = 0x210000


@pytest.fixture
def screen(page: Page, either_lab: Server) -> Screen:
    """Slow enough to be read, and stopped while the pages are fenced: in the middle of the stores that are denied."""
    text = f"{LAB}limits: {{exits: 20}}\n"
    return Screen(page).open(saved(page.request, either_lab.url, text), "ended")


def test_a_hypercall_is_told_by_name_and_status(screen: Screen) -> None:
    call = screen.stream.get_by_role("option").filter(has_text="ModifyVtlProtectionMask")
    expect(call).to_contain_text("4/4 reps ✓ SUCCESS")
    call.click()
    detail = screen.page.get_by_role("region", name="One exit in detail")
    expect(detail).to_contain_text("ModifyVtlProtectionMask, code 0xc")
    expect(detail).to_contain_text("slow: parameters in memory")
    expect(detail).to_contain_text("4 of 4 done, this time from 0")
    expect(detail).to_contain_text("0x10 VTL0")
    reps = detail.get_by_role("list", name="Reps").get_by_role("listitem")
    expect(reps).to_have_text(["✓ 0x210", "✓ 0x211", "✓ 0x212", "✓ 0x213"])
    assert grave(screen.page) == []


def test_a_fast_hypercall_shows_registers(screen: Screen) -> None:
    screen.stream.get_by_role("option").filter(has_text="EnablePartitionVtl").click()
    expect(screen.page.get_by_role("region", name="One exit in detail")).to_contain_text(
        "fast: parameters in registers"
    )


def test_the_switches_and_the_active_vtl(screen: Screen) -> None:
    expect(screen.stream.get_by_role("option").filter(has_text="VTL call VTL0 → VTL1")).to_have_count(1)
    expect(screen.stream.get_by_role("option").filter(has_text="VTL return VTL1 → VTL0")).to_have_count(1)
    vcpu = screen.page.locator("#vcpus li").first
    expect(vcpu).to_contain_text("VTL0")
    expect(vcpu).to_have_attribute("data-tip", re.compile("2 VTL switches"))


def test_a_vcpu_in_vtl1(page: Page, either_lab: Server) -> None:
    """Stopped after the VTL call and VTL1's first hypercall."""
    text = f"{LAB}limits: {{exits: 4}}\n"
    Screen(page).open(saved(page.request, either_lab.url, text), "ended")
    expect(page.locator("#vcpus li").first).to_contain_text("VTL1")
    assert grave(page) == []


def test_a_denied_store_says_who_set_the_mask(screen: Screen) -> None:
    screen.stream.get_by_role("option").filter(has_text="denied").first.click()
    detail = screen.page.get_by_role("region", name="One exit in detail")
    expect(detail).to_contain_text("Set by a hypercall of VTL1.")


def test_a_fenced_page_says_who_fenced_it(screen: Screen) -> None:
    keyboard = screen.page.keyboard
    keyboard.press("/")
    keyboard.type(hex(FENCED))
    keyboard.press("Enter")
    expect(screen.page.locator("#pop-what")).to_contain_text("set by a hypercall of VTL1")


def test_every_policy_is_in_reach(screen: Screen) -> None:
    """The row of policies is as wide as its panel, however many there are."""
    panel = screen.page.get_by_role("complementary", name="Machine").bounding_box()
    last = screen.page.locator("#policy button").last.bounding_box()
    assert panel is not None
    assert last is not None
    assert last["x"] + last["width"] <= panel["x"] + panel["width"]


ANSWERS = Path("labs/vtl1-answers/scenario.yaml").read_text()


def test_an_intercepts_message_is_decoded_beside_its_bytes(page: Page, either_lab: Server) -> None:
    """The first denied store: who, where and how, as VTL1 reads it; with the registers."""
    text = f"{ANSWERS}limits: {{exits: 20}}\n"
    screen = Screen(page).open(saved(page.request, either_lab.url, text), "ended")
    screen.stream.get_by_role("option").filter(has_text="write 0x210008").first.click()
    detail = page.get_by_role("region", name="One exit in detail")
    expect(detail.get_by_role("heading", name="Message to VTL1")).to_be_visible()
    rows = detail.get_by_role("table").get_by_role("row")
    for said in (
        "0x0 01000080 type 0x80000001 gpa intercept",
        "0x15 01 access 0x1 write",
        "0x16 1c00 execution state cr0 pe, cr0 am, efer lma",
        "0x48 08002100 00000000 gpa 0x210008",
        "0x68 ffffffff ds.limit 0xffffffff",
    ):
        expect(rows.filter(has=page.get_by_role("cell", name=said.split()[0], exact=True))).to_have_text(
            re.compile(r"\s*".join(map(re.escape, said.split())))
        )
    assert grave(page) == []


def test_an_access_that_nobody_is_told_of_has_no_message(screen: Screen) -> None:
    screen.stream.get_by_role("option").filter(has_text="denied").first.click()
    expect(screen.page.get_by_role("region", name="One exit in detail").get_by_role("table")).to_have_count(0)


def test_what_a_page_holds(screen: Screen) -> None:
    """VTL0 has not stored to its fenced page; the bytes are those in memory, whatever the mask says."""
    keyboard = screen.page.keyboard
    keyboard.press("/")
    keyboard.type("0x7000")
    keyboard.press("Enter")
    screen.page.get_by_role("button", name="bytes").click()
    dialog = screen.page.get_by_role("dialog", name="Page 0x7000")
    expect(dialog.get_by_role("row").nth(1)).to_contain_text("e7 e8 c3 cc")
    assert grave(screen.page) == []

"""Several processors and more VTLs than two, on screen; on both hypervisors."""

import re

import msgspec
from playwright.sync_api import Page, expect

from tests.e2e.axe import grave
from tests.e2e.scenarios import QUIET, saved
from tests.engine.machine.vsm_guest import SETUP, SETUP_VTL2, STATUSES, VTL_CALL
from tests.peers.screen import Screen
from tests.peers.server import Server

WAITING = QUIET + "  - {guest: touch, waits: true}\n"
IN_VTL2 = {
    "name": "Up to VTL2",
    "ram": "4MiB",
    "vtls": 3,
    "slots": [{"slot": 0, "base": 0, "size": "4MiB"}],
    "vcpus": [
        {
            "asm": "\n".join(
                [f"mov r15, {STATUSES:#x}", *SETUP, VTL_CALL, "hlt", "vtl1:", *SETUP_VTL2, VTL_CALL, "vtl2:", "hlt"]
            )
        }
    ],
}


def test_a_processor_that_waits_says_for_what(page: Page, either_lab: Server) -> None:
    Screen(page).open(saved(page.request, either_lab.url, WAITING))
    waiting = page.locator("#vcpus li").nth(2)
    expect(waiting).to_contain_text("waiting")
    expect(waiting).to_have_attribute("data-tip", re.compile("is waiting: Another vCPU must start it"))
    assert grave(page) == []


def test_a_processor_in_vtl2(page: Page, either_lab: Server) -> None:
    Screen(page).open(saved(page.request, either_lab.url, msgspec.json.encode(IN_VTL2).decode()), "ended")
    expect(page.locator("#vcpus li").first).to_contain_text("VTL2")
    assert grave(page) == []

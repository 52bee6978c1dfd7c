"""A dirty ring on a kernel that loses its entries: the page marks it, and never pretends to know."""

import pytest
from playwright.sync_api import Page, expect

from engine.hypervisor.choose import choose
from tests.e2e.scenarios import saved
from tests.peers.absent import kvm_absent
from tests.peers.screen import Screen
from tests.peers.server import Server

FASTER_THAN_THE_RING = """\
name: A guest that stores without leaving
ram: 8MiB
hypervisor: kvm
dirty: ring
slots:
  - {slot: 0, base: 0x0, size: 2MiB}
  - {slot: 1, base: 0x200000, size: 2MiB, flags: [log]}
vcpus:
  - asm: |
      again: mov edi, 0x200000
      mov ecx, 0x200000
      rep stosb
      jmp again
"""


def test_a_lost_entry_is_marked_and_all_logged_pages_are_dirty(page: Page, lab: Server) -> None:
    if reason := kvm_absent():
        pytest.skip(reason)
    if not choose("kvm")[0].capabilities.ring_reason:
        pytest.skip("this host's KVM keeps to the soft limit of a ring: it loses nothing")
    screen = Screen(page).open(saved(page.request, lab.url, FASTER_THAN_THE_RING))
    told = page.locator("#lost")
    expect(told).to_be_visible(timeout=20_000)
    expect(told).to_contain_text("all logged pages count as written")
    assert screen.exits("ring full") > 0

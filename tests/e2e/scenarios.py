"""Scenarios that the browser tests save and open."""

import json

from playwright.sync_api import APIRequestContext

QUIET = """\
name: Nothing is fenced
about: Two vCPUs store to a logged slot.
ram: 4MiB
slots:
  - {slot: 0, base: 0x0, size: 2MiB}
  - {slot: 1, base: 0x200000, size: 2MiB, flags: [log]}
vcpus:
  - {guest: touch, params: {base: 0x200000, pages: 64}}
  - asm: |
      mov rdi, 0x210000
      again: inc qword ptr [rdi]
      jmp again
"""
LARGE = """\
name: As large as it gets
ram: 4GiB
slots:
  - {slot: 0, base: 0x0, size: 2MiB}
  - {slot: 1, base: 0x200000, size: 4094MiB, flags: [log]}
vcpus:
  - {guest: scatter, params: {base: 0x200000, pages: 1048064}}
"""


def saved(request: APIRequestContext, url: str, text: str) -> str:
    """Save it as the page's visitor; the permanent address."""
    answer = request.post(
        f"{url}/api/scenarios", data=text, headers={"content-type": "application/yaml", "origin": url}
    )
    assert answer.status == 201, answer.text()
    return url + str(json.loads(answer.text())["url"])

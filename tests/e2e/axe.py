"""What axe holds against a page."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.house.tree import ROOT

AXE = Path(ROOT / "tests/vendor/axe-4.14.1.min.js")
GRAVE = {"serious", "critical"}


def grave(page: Page) -> list[str]:
    """What axe holds against the page, in words; evaluated, not added as a script: the policy allows no such script."""
    page.evaluate(AXE.read_text())
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {one['help']}: {[node['html'] for node in one['nodes']][:3]}"
        for one in found["violations"]
        if one["impact"] in GRAVE
    ]

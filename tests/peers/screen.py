"""The lab's page as its user sees it: by roles, labels and what is written there."""

import re

from playwright.sync_api import Locator, Page, expect

RANGE = re.compile(r"0x([0-9a-f]+)")
FRAME_MS = 20_000
COUNT = """(kind) => {
  const chips = [...document.querySelectorAll("#kinds button")];
  const chip = chips.find((one) => one.textContent.trim().startsWith(kind));
  return chip ? Number(chip.textContent.replace(/\\D/g, "")) : 0;
}"""


class Screen:
    """One tab with the lab open."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.body = page.locator("body")
        self.map = page.get_by_role("application", name="Guest memory map")
        self.rights = page.get_by_role("dialog", name="Rights of the selected pages")
        self.stream = page.get_by_role("listbox", name="Latest exits")
        self.run_button = page.locator("#run")

    def open(self, url: str, phase: str = "running") -> "Screen":
        """Go there and wait until the machine is in `phase` and frames have come."""
        self.page.goto(url)
        self.reaches(phase)
        self.wait_frames(3)
        return self

    def reaches(self, phase: str) -> None:
        expect(self.body).to_have_attribute("data-phase", phase, timeout=FRAME_MS)

    @property
    def frame(self) -> int:
        return int(self.body.get_attribute("data-frame-seq") or 0)

    def wait_frames(self, more: int) -> None:
        """Until so many further frames were painted."""
        wanted = self.frame + more
        self.page.wait_for_function(f"Number(document.body.dataset.frameSeq) >= {wanted}", timeout=FRAME_MS)

    def pixels(self) -> bytes:
        """The map as a picture, PNG."""
        return self.map.screenshot()

    def exits(self, kind: str) -> int:
        """How many of a kind the page counts."""
        return int(self.page.evaluate(COUNT, kind))

    def wait_exits(self, kind: str, holds: str) -> None:
        """Until the count n of a kind satisfies `holds`, e.g. `n > 3`."""
        self.page.wait_for_function(f"(kind) => {{ const n = ({COUNT})(kind); return {holds}; }}", arg=kind)

    def drag(self, at: tuple[float, float], to: tuple[float, float]) -> int:
        """Drag over the map, points as shares of its width and height; the gpa where the selection begins."""
        box = self.map.bounding_box()
        assert box is not None
        (x0, y0), (x1, y1) = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in (at, to)]
        self.page.mouse.move(x0, y0)
        self.page.mouse.down()
        self.page.mouse.move((x0 + x1) / 2, (y0 + y1) / 2, steps=4)
        self.page.mouse.move(x1, y1, steps=4)
        self.page.mouse.up()
        expect(self.rights).to_be_visible()
        found = RANGE.search(self.rights.inner_text())
        assert found, self.rights.inner_text()
        return int(found[1], 16)

    def right(self, name: str) -> Locator:
        """A button of the open popover: R, W, KX, UX, X or clear."""
        return self.rights.get_by_role("button", name=re.compile(rf"^{name}\b"))

    def denials_grow(self) -> None:
        """More protection exits than now, soon."""
        self.wait_exits("protection", f"n > {self.exits('protection')}")

    def denials_rest(self) -> bool:
        """Whether no protection exit came for half a second's frames, after a moment to drain."""
        self.wait_frames(8)
        before = self.exits("protection")
        self.wait_frames(15)
        return self.exits("protection") == before

"""The lab's page as its user sees it: by roles, labels and what is written there."""

import re
import time
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

RANGE = re.compile(r"0x([0-9a-f]+)")
FRAME_MS = 20_000
SHORT = re.compile(r"([\d.,]+)([kMG]?)\s*$")
FACTORS = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}


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
        self.until(lambda: self.frame >= wanted, f"frame {wanted}")

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Ask again and again. wait_for_function would poll inside the page, by the eval that the policy forbids."""
        deadline = time.monotonic() + FRAME_MS / 1000
        while not holds():
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            self.page.wait_for_timeout(50)

    def pixels(self) -> bytes:
        """The map as a picture, PNG."""
        return self.map.screenshot()

    def exits(self, kind: str) -> int:
        """How many of a kind the page counts; from 1,000 on as short as the page says it, 2.0k for one."""
        chips = self.page.get_by_role("group", name="Kinds of exit shown").get_by_role("button").all_inner_texts()
        found = [SHORT.search(text.strip()) for text in chips if kind in text]
        if not found:
            return 0
        assert found[0], chips
        return round(float(found[0][1].replace(",", "")) * FACTORS[found[0][2]])

    def wait_exits(self, kind: str, holds: Callable[[int], bool]) -> None:
        """Until the count of a kind satisfies `holds`."""
        self.until(lambda: holds(self.exits(kind)), f"the count of {kind} exits")

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
        before = self.exits("protection")
        self.wait_exits("protection", lambda count: count > before)

    def denials_rest(self) -> bool:
        """Whether no protection exit came for half a second's frames, after a moment to drain."""
        self.wait_frames(10)
        before = self.exits("protection")
        self.wait_frames(15)
        return self.exits("protection") == before

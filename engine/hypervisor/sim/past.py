"""RAM as it was: what each snapshot needs to become the present again, by the pages that changed.

Snapshots are nodes of a tree that all point towards the present (rerooting: Baker, Shallow Binding Makes Functional
Arrays Fast, 1991). An edge holds the pages that differ between its two ends, as they are on the far one. Going back
walks to the snapshot and swaps those pages, so that the edges point at the new present. What nobody refers to any more
is collected with its edges.
"""

import weakref
from mmap import mmap

from engine.model.address import PAGE_SHIFT, PAGE_SIZE


class Past:
    """RAM at one moment: `pages` as they were, where `nearer` (None: the present) has them otherwise."""

    __slots__ = ("__weakref__", "nearer", "of", "pages")

    def __init__(self, of: "Pasts") -> None:
        self.of = of
        self.pages: dict[int, bytes] = {}
        self.nearer: Past | None = None


class Pasts:
    """The tree of one RAM. Whoever stores into RAM calls `keep` before, once a page since `take` or `go_to`."""

    def __init__(self, ram: mmap) -> None:
        self._ram = ram
        self._last: weakref.ref[Past] | None = None
        self.kept: dict[int, bytes] | None = None
        """Pages kept since then; None while no snapshot needs any."""

    def keep(self, page: int) -> None:
        """RAM's page is about to be written."""
        kept = self.kept
        if kept is not None and page not in kept:
            kept[page] = self._page(page)

    def wants(self, page: int) -> bool:
        """Whether `keep` is still to be called before the page is written."""
        return self.kept is not None and page not in self.kept

    def take(self) -> Past:
        """The present, for as long as it is referred to."""
        taken, last = Past(self), self._last() if self._last else None
        if last is not None:
            last.nearer = taken
        self._follow(taken)
        return taken

    def go_to(self, past: Past) -> set[int]:
        """RAM is as at `past`; the pages that have changed by it. What was written since the last snapshot is lost."""
        way = [past]
        while way[-1].nearer is not None:
            way.append(way[-1].nearer)
        changed: set[int] = set()
        for number, node in enumerate(reversed(way)):
            there = self._swap(node.pages)
            changed |= there.keys()
            if number:
                way[-number].pages, way[-number].nearer = there, node
        self._follow(past)
        return changed

    def _follow(self, node: Past) -> None:
        """The present begins to differ from this one."""
        node.pages, node.nearer = {}, None
        self.kept, self._last = node.pages, weakref.ref(node, self._drop)

    def _drop(self, node: weakref.ref[Past]) -> None:
        if node is self._last:
            self.kept = self._last = None

    def _swap(self, pages: dict[int, bytes]) -> dict[int, bytes]:
        here: dict[int, bytes] = {}
        for page, content in pages.items():
            here[page] = self._page(page)
            self._ram[page << PAGE_SHIFT : (page << PAGE_SHIFT) + PAGE_SIZE] = content
        return here

    def _page(self, page: int) -> bytes:
        return self._ram[page << PAGE_SHIFT : (page << PAGE_SHIFT) + PAGE_SIZE]

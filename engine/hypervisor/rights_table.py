"""Rights by page: a byte a page, RWX where nothing was set. Masks, permissions and the view on screen are such."""

import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from engine.model.address import PageRange
from engine.model.layout import MAX_RAM
from engine.model.page_set import PageSet
from engine.model.rights import Rights

PAGES = MAX_RAM >> 12
"""Pages that a guest can address, and rights can be set of."""
RWX = int(Rights.RWX)
_RUN = re.compile(rb"([^\x0f])\1*")


class RightsTable:
    """gfns from 0 to `pages`; beyond, all is RWX for ever."""

    def __init__(self, pages: int = PAGES) -> None:
        self._rights = bytearray((RWX,)) * pages
        self._kept: bytes | None = None

    def get(self, gfn: int) -> int:
        """Rights bits. As an int: Rights(...) takes longer than the rest of a look-up."""
        try:
            return self._rights[gfn]
        except IndexError:
            return RWX

    def set(self, pages: PageRange | PageSet, rights: int) -> None:
        """IndexError when a page is past the last."""
        span = pages.span
        if span.stop > len(self._rights):
            raise IndexError(f"pages up to gfn {span.stop:#x} end past gfn {len(self._rights):#x}")
        self._kept = None
        if isinstance(pages, PageRange):
            self._rights[pages.first : pages.stop] = bytes((rights,)) * pages.count
        elif span.count:
            np.putmask(
                np.frombuffer(self._rights, np.uint8)[span.first : span.stop], chosen(pages).view(np.bool_), rights
            )

    def copy(self, pages: PageRange) -> bytes:
        """The rights of `pages`, a byte each."""
        found = bytes(self._rights[pages.first : pages.stop])
        return found + bytes((RWX,)) * (pages.count - len(found))

    def paste(self, first: int, rights: bytes) -> None:
        """Rights of the pages from gfn `first`, a byte each."""
        self._kept = None
        self._rights[first : first + len(rights)] = rights

    def runs(self, within: PageRange | None = None) -> Iterator[tuple[int, int, int]]:
        """Maximal runs (gfn, count, rights) that are not RWX, ascending; cut to `within` when given."""
        whole = PageRange(0, len(self._rights))
        cut = whole.intersection(within) if within else whole
        if not cut.count:
            return iter(())
        return ((m.start(), m.end() - m.start(), m[0][0]) for m in _RUN.finditer(self._rights, cut.first, cut.stop))

    def restricted(self, within: PageRange | None = None) -> list[tuple[PageRange, Rights]]:
        """The runs as values."""
        return [(PageRange(first, count), Rights(rights)) for first, count, rights in self.runs(within)]

    def state(self) -> bytes:
        """All of it, for a snapshot; the same object as long as nothing is set."""
        if self._kept is None:
            self._kept = bytes(self._rights)
        return self._kept

    def restore(self, state: bytes) -> None:
        if self._kept is not state:
            self.paste(0, state)
            self._kept = state


def chosen(pages: PageSet) -> npt.NDArray[np.uint8]:
    """1 for each page of `pages.span` that is in `pages`, else 0. Costs by the span, whatever the pattern."""
    span = pages.span
    bitmap = (pages.bits >> span.first).to_bytes((span.count + 7) // 8, "little")
    return np.unpackbits(np.frombuffer(bitmap, np.uint8), count=span.count, bitorder="little")

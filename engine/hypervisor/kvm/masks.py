"""What each VTL may do to each guest page: one byte a page, RWX where nothing was set."""

import re

import numpy as np

from engine.model.address import PageRange
from engine.model.layout import MAX_RAM
from engine.model.rights import Rights

PAGES = MAX_RAM >> 12
"""Pages a mask can be put on: those a guest can address."""
_RUN = re.compile(rb"([^\x0f])\1*", re.DOTALL)


class MaskTable:
    """Rights of one VTL by gfn."""

    def __init__(self) -> None:
        self._rights = bytearray(b"\x0f") * PAGES
        self.touched = False
        """Whether any mask was ever set: until then nobody need look."""
        self.edges = 0
        """Pages whose rights differ from those of the page before."""

    def get(self, gfn: int) -> Rights:
        return Rights(self._rights[gfn]) if 0 <= gfn < PAGES else Rights.RWX

    def put(self, pages: PageRange, rights: Rights) -> None:
        self.paste(pages.first, bytes([rights]) * pages.count)
        self.touched = True

    def copy(self, pages: PageRange) -> bytes:
        """The rights of `pages`, a byte each; pages beyond the table are RWX."""
        found = bytes(self._rights[pages.first : pages.stop])
        return found + b"\x0f" * (pages.count - len(found))

    def paste(self, first: int, rights: bytes) -> None:
        around = slice(max(first - 1, 0), first + len(rights) + 1)
        before = _edges(self._rights[around])
        self._rights[first : first + len(rights)] = rights
        self.edges += _edges(self._rights[around]) - before

    def restricted(self, within: PageRange | None = None) -> list[tuple[PageRange, Rights]]:
        """Maximal runs that are not RWX, ascending; cut to `within` when given."""
        first, stop = (within.first, within.stop) if within else (0, PAGES)
        found = _RUN.finditer(self._rights, first, stop)
        return [(PageRange(m.start(), m.end() - m.start()), Rights(self._rights[m.start()])) for m in found]


def _edges(rights: bytearray) -> int:
    found = np.frombuffer(rights, np.uint8)
    return int(np.count_nonzero(found[1:] != found[:-1]))

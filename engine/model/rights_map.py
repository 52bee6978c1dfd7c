"""The rights of every page of a guest for one VTL: one byte a page, RWX where nothing was set."""

import re
from collections.abc import Iterator

from engine.model.address import PageRange
from engine.model.rights import Rights

_RUN = re.compile(rb"([^\x0f])\1*")


class RightsMap:
    """Mutable; gfns from 0 to `pages`."""

    def __init__(self, pages: int) -> None:
        self._rights = bytearray(b"\x0f") * pages

    def __getitem__(self, gfn: int) -> Rights:
        return Rights(self._rights[gfn])

    def set(self, pages: PageRange, rights: Rights) -> None:
        """IndexError when the range goes past the last page."""
        if pages.stop > len(self._rights):
            raise IndexError(f"pages {pages} end past gfn {len(self._rights):#x}")
        self._rights[pages.first : pages.stop] = bytes([rights]) * pages.count

    def runs(self, within: PageRange | None = None) -> Iterator[tuple[int, int, int]]:
        """Maximal runs (gfn, count, rights) that are not RWX, ascending; cut to `within` when given."""
        first, stop = (within.first, within.stop) if within else (0, len(self._rights))
        return ((m.start(), m.end() - m.start(), m[0][0]) for m in _RUN.finditer(self._rights, first, stop))

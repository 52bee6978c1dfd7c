"""Rights of one VTL by page: a byte a page, kept in chunks that exist only where a mask was ever set."""

from collections.abc import Iterator

import numpy as np

from engine.model.address import PageRange
from engine.model.rights import Rights

_SHIFT = 12
_CHUNK = 1 << _SHIFT
RWX = int(Rights.RWX)
_EVERYWHERE = PageRange(0, 1 << 40)


class RightsByPage:
    """What is left of RWX, by gfn. Setting n pages costs n bytes; asking for one costs a dict look-up."""

    def __init__(self) -> None:
        self._chunks: dict[int, bytearray] = {}

    def get(self, gfn: int) -> int:
        chunk = self._chunks.get(gfn >> _SHIFT)
        return RWX if chunk is None else chunk[gfn & (_CHUNK - 1)]

    def set(self, pages: PageRange, rights: int) -> None:
        at = pages.first
        while at < pages.stop:
            first = at & (_CHUNK - 1)
            count = min(_CHUNK - first, pages.stop - at)
            chunk = self._chunks.get(at >> _SHIFT)
            if chunk is None:
                chunk = self._chunks[at >> _SHIFT] = bytearray((RWX,)) * _CHUNK
            chunk[first : first + count] = bytes((rights,)) * count
            at += count

    def runs(self, within: PageRange | None = None) -> Iterator[tuple[PageRange, Rights]]:
        """Maximal runs of equal rights that are not RWX, ascending; cut to `within` when given."""
        pending: tuple[int, int, int] | None = None
        for first, count, rights in self._pieces(within or _EVERYWHERE):
            if pending and pending[2] == rights and pending[0] + pending[1] == first:
                pending = (pending[0], pending[1] + count, rights)
                continue
            if pending:
                yield PageRange(pending[0], pending[1]), Rights(pending[2])
            pending = (first, count, rights)
        if pending:
            yield PageRange(pending[0], pending[1]), Rights(pending[2])

    def _pieces(self, within: PageRange) -> Iterator[tuple[int, int, int]]:
        """(gfn, pages, rights) of each run within a chunk and `within`."""
        for number in sorted(self._chunks):
            base = number << _SHIFT
            inside = within.intersection(PageRange(base, _CHUNK))
            values = np.frombuffer(self._chunks[number], np.uint8)[inside.first - base : inside.stop - base]
            edges = np.flatnonzero(np.diff(values)) + 1
            starts = [0, *edges.tolist()] if inside.count else []
            for start, stop in zip(starts, [*starts[1:], inside.count], strict=False):
                if values[start] != RWX:
                    yield inside.first + start, stop - start, int(values[start])

"""One slot's dirty log: KVM's bitmap, a bit a page, in chunks that exist only where they differ from the rest."""

_SHIFT = 15
"""32,768 pages, 4 KiB a chunk."""
_INSIDE = (1 << _SHIFT) - 1
_BYTES = 1 << _SHIFT >> 3
_BITS = tuple(1 << bit for bit in range(8))


class LogState:
    """What a log held at a moment, opaque. It shares its chunks with the log, which copies one before changing it."""

    __slots__ = ("chunks", "rest")

    def __init__(self, chunks: dict[int, bytearray], rest: bytes) -> None:
        self.chunks, self.rest = chunks, rest


class DirtyLog:
    """`pages` pages, all clean or (`full`) all dirty at first. A page is its number in the slot."""

    def __init__(self, pages: int, full: bool = False) -> None:
        self.pages = pages
        self._size = (pages + 63) // 64 * 8
        self._own: dict[int, bytearray] = {}
        self._shared: dict[int, bytearray] = {}
        self._rest = (b"\xff" if full else b"\0") * min(_BYTES, self._size)
        """What every other chunk holds."""
        self._kept: LogState | None = None
        """What it holds without `_own`."""

    def mark(self, page: int) -> None:
        chunk = self._own.get(page >> _SHIFT) or self._chunk(page >> _SHIFT)
        chunk[(page & _INSIDE) >> 3] |= _BITS[page & 7]

    def wipe(self, page: int) -> None:
        chunk = self._own.get(page >> _SHIFT) or self._chunk(page >> _SHIFT)
        chunk[(page & _INSIDE) >> 3] &= ~_BITS[page & 7]

    def has(self, page: int) -> int:
        """Not 0 when the page is dirty."""
        chunk = self._own.get(page >> _SHIFT) or self._shared.get(page >> _SHIFT) or self._rest
        return chunk[(page & _INSIDE) >> 3] & _BITS[page & 7]

    def bitmap(self) -> bytes:
        """In whole 64-bit words, as KVM_GET_DIRTY_LOG gives it."""
        if self.clean:
            return bytes(self._size)
        held = self._shared | self._own
        whole = [held.get(number, self._rest) for number in range((self._size + _BYTES - 1) // _BYTES)]
        whole[-1] = self._trimmed(whole[-1])
        return b"".join(whole)

    @property
    def clean(self) -> bool:
        """Nothing was marked since it was made or emptied."""
        return not self._own and not self._shared and not self._rest[0]

    def empty(self) -> None:
        """All clean."""
        self._own, self._shared, self._rest, self._kept = {}, {}, bytes(len(self._rest)), None

    def clear(self, first: int, bitmap: bytes) -> None:
        """Clean those pages from `first`, a multiple of 64, whose bit is set; `bitmap` is in whole 64-bit words."""
        at, offset = first >> 3, 0
        while offset < len(bitmap):
            chunk, inside = self._chunk((at + offset) // _BYTES), (at + offset) % _BYTES
            count = min(len(bitmap) - offset, len(chunk) - inside)
            kept = _word(chunk[inside : inside + count]) & ~_word(bitmap[offset : offset + count])
            chunk[inside : inside + count] = kept.to_bytes(count, "little")
            offset += count

    def state(self) -> LogState:
        """Costs by the number of chunks, not by their size, and nothing where no page was marked since the last."""
        if self._own or self._kept is None:
            self._shared |= self._own
            self._own = {}
            self._kept = LogState(self._shared.copy(), self._rest)
        return self._kept

    def restore(self, state: LogState) -> None:
        """As it was at `state`, of a log of as many pages; again as often as wanted."""
        if self._own or self._kept is not state:
            self._own, self._shared, self._rest, self._kept = {}, state.chunks.copy(), state.rest, state

    def _chunk(self, number: int) -> bytearray:
        """To be changed: nobody else's any more."""
        own = self._own.get(number)
        if own is None:
            own = self._own[number] = bytearray(self._shared.pop(number, self._rest))
        return own

    def _trimmed(self, last: bytes | bytearray) -> bytes:
        """Without bits beyond the last page."""
        left = self.pages - (self.pages - 1 >> _SHIFT << _SHIFT)
        kept = _word(last) & ((1 << left) - 1)
        return kept.to_bytes(self._size - (self._size - 1) // _BYTES * _BYTES, "little")


def _word(data: bytes | bytearray) -> int:
    return int.from_bytes(data, "little")

"""Sets of guest pages with set algebra, kept as one integer: bit n is gfn n."""

import re
from collections.abc import Iterable, Iterator

from engine.model.address import PAGE_SHIFT, PageRange

_RUN = re.compile(r"1+")
_TEXT = re.compile(r"0x([0-9a-fA-F]+)\+(\d+)")


class PageSet:
    """An immutable set of gfns. `a | b`, `a & b`, `a - b`, `gfn in a`, `len(a)`, runs, bitmaps and text."""

    __slots__ = ("_bits",)

    def __init__(self, gfns: Iterable[int] = ()) -> None:
        bits = 0
        for gfn in gfns:
            bits |= 1 << gfn
        self._bits = bits

    @classmethod
    def of_bits(cls, bits: int) -> "PageSet":
        made = cls()
        made._bits = bits
        return made

    @classmethod
    def of_bitmap(cls, bitmap: bytes | bytearray | memoryview, first: int = 0) -> "PageSet":
        """From a KVM dirty bitmap (little-endian, bit 0 is page `first`)."""
        return cls.of_bits(int.from_bytes(bitmap, "little") << first)

    @classmethod
    def of_range(cls, pages: PageRange) -> "PageSet":
        return cls.of_bits(((1 << pages.count) - 1) << pages.first)

    @classmethod
    def parse(cls, runs: Iterable[str]) -> "PageSet":
        """From texts like `"0x210000+2"` (gpa of the first page, number of pages); ValueError otherwise."""
        bits = 0
        for text in runs:
            match = _TEXT.fullmatch(text)
            if match is None:
                raise ValueError(f"page run {text!r}: write gpa+count, like 0x210000+2")
            first, count = int(match[1], 16) >> PAGE_SHIFT, int(match[2])
            bits |= ((1 << count) - 1) << first
        return cls.of_bits(bits)

    @property
    def bits(self) -> int:
        return self._bits

    @property
    def span(self) -> PageRange:
        """From the first page to the last; empty when there is none."""
        first = (self._bits & -self._bits).bit_length() - 1
        return PageRange(first, self._bits.bit_length() - first) if self._bits else PageRange(0, 0)

    def bitmap(self, pages: int) -> bytes:
        """Little-endian bitmap of gfns 0 to `pages`, rounded up to whole 64-bit words."""
        kept = self._bits & ((1 << pages) - 1)
        return kept.to_bytes((pages + 63) // 64 * 8, "little")

    def runs(self) -> Iterator[PageRange]:
        """Maximal runs, ascending."""
        text = bin(self._bits)[:1:-1]
        return (PageRange(m.start(), m.end() - m.start()) for m in _RUN.finditer(text))

    def text(self) -> list[str]:
        """`["0x210000+2", ...]`, what parse reads back."""
        return [str(run) for run in self.runs()]

    def __or__(self, other: "PageSet") -> "PageSet":
        return PageSet.of_bits(self._bits | other._bits)

    def __and__(self, other: "PageSet") -> "PageSet":
        return PageSet.of_bits(self._bits & other._bits)

    def __sub__(self, other: "PageSet") -> "PageSet":
        return PageSet.of_bits(self._bits & ~other._bits)

    def __contains__(self, gfn: object) -> bool:
        return isinstance(gfn, int) and bool(self._bits >> gfn & 1)

    def __len__(self) -> int:
        return self._bits.bit_count()

    def __iter__(self) -> Iterator[int]:
        return (gfn for run in self.runs() for gfn in run)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PageSet) and self._bits == other._bits

    def __hash__(self) -> int:
        return hash(self._bits)

    def __repr__(self) -> str:
        return f"PageSet({' '.join(self.text())})"

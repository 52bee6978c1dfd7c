"""Guest-physical addresses by the page.

A gpa is a plain int; a gfn is `gpa >> PAGE_SHIFT`. Ranges are half open and page aligned by construction.
"""

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

PAGE_SHIFT = 12
PAGE_SIZE = 1 << PAGE_SHIFT

Gpa = Annotated[int, Meta(ge=0, le=1 << 52)]
"""A gpa, offset or size as it may come from outside: within the architecture's physical address width."""


class PageRange(msgspec.Struct, frozen=True, gc=False, order=True):
    """`count` guest pages from page number `first`."""

    first: int
    count: int

    @classmethod
    def of(cls, base: int, size: int) -> "PageRange":
        """The pages of `size` bytes at gpa `base`; both must be page aligned, else ValueError."""
        if base % PAGE_SIZE or size % PAGE_SIZE:
            raise ValueError(f"{base:#x}+{size:#x}: base and size must be multiples of {PAGE_SIZE:#x}")
        return cls(base >> PAGE_SHIFT, size >> PAGE_SHIFT)

    @property
    def base(self) -> int:
        """gpa of the first byte."""
        return self.first << PAGE_SHIFT

    @property
    def size(self) -> int:
        """Bytes."""
        return self.count << PAGE_SHIFT

    @property
    def stop(self) -> int:
        """gfn past the last page."""
        return self.first + self.count

    @property
    def span(self) -> "PageRange":
        """Itself; a PageSet's span may be wider than the set."""
        return self

    def __contains__(self, gfn: object) -> bool:
        return isinstance(gfn, int) and self.first <= gfn < self.stop

    def __iter__(self) -> Iterator[int]:  # type: ignore[override]
        return iter(range(self.first, self.stop))

    def overlaps(self, other: "PageRange") -> bool:
        return self.first < other.stop and other.first < self.stop

    def intersection(self, other: "PageRange") -> "PageRange":
        """Pages in both; an empty range (count 0) when there are none."""
        first = max(self.first, other.first)
        return PageRange(first, max(0, min(self.stop, other.stop) - first))

    def __str__(self) -> str:
        return f"{self.base:#x}+{self.count}"

"""Scratch pages: where one denied instruction is tried out without touching RAM.

Every data page it uses is replaced by a scratch page that holds what its loads are to see. What it stores is read
back from there; RAM changes only when the VMM's answers are all known.
"""

import ctypes
import mmap
from collections.abc import Iterator

import msgspec

from engine.hypervisor.sim.ram import Ram
from engine.hypervisor.sim.space import Space
from engine.model.address import PAGE_SHIFT, PAGE_SIZE
from engine.model.rights import Access

PAGES = 16
"""An instruction of an ordinary guest touches at most four data pages; xsave two more."""
_INSIDE = PAGE_SIZE - 1
_MAX_PIECE = 8


class Piece(msgspec.Struct, frozen=True, gc=False):
    """At most 8 bytes within one page that an instruction loads or stores; `data` is what it stores."""

    gpa: int
    access: Access
    size: int
    data: bytes | None = None
    gva: int = 0

    @property
    def key(self) -> tuple[Access, int, int]:
        return self.access, self.gpa, self.size


class Scratch:
    """`PAGES` pages beside RAM. `begin` before a trial, `page` from the fill, `touched` from the memory hook."""

    def __init__(self, space: Space, ram: Ram) -> None:
        self._space, self._ram = space, ram
        self.buffer = mmap.mmap(-1, PAGES * PAGE_SIZE)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.buffer))
        self._gpas: list[int] = []
        self._index: dict[int, int] = {}
        self._touched: list[tuple[Access, int, int]] = []
        self._answers: dict[tuple[Access, int, int], bytes] = {}

    def begin(self, answers: dict[tuple[Access, int, int], bytes]) -> None:
        """`answers`: what loads get instead of RAM, by Piece.key."""
        self._answers = answers
        self._gpas.clear()
        self._index.clear()
        self._touched.clear()

    def page(self, gva: int, gpa: int) -> int | None:
        """Byte offset of the scratch page that stands for the page at `gva`; None when there is none left."""
        index = self._index.get(gva >> PAGE_SHIFT)
        if index is None:
            if len(self._gpas) == PAGES:
                return None
            index = self._index[gva >> PAGE_SHIFT] = len(self._gpas)
            self._gpas.append(gpa & ~_INSIDE)
            self._preload(index, gpa & ~_INSIDE)
        return index << PAGE_SHIFT

    def touched(self, access: Access, at: int, size: int) -> None:
        """The instruction is about to access `size` bytes at scratch offset `at`, perhaps into the next guest page."""
        gva_page = next(gva for gva, index in self._index.items() if index == at >> PAGE_SHIFT)
        self._touched.append((access, gva_page << PAGE_SHIFT | (at & _INSIDE), size))

    def pieces(self) -> list[Piece]:
        """What was accessed, in order, each once; stores with the bytes that are there now."""
        found: dict[tuple[Access, int, int], Piece] = {}
        for access, gva, size in self._whole():
            if (gva + size - 1) >> PAGE_SHIFT in self._index:  # else it ended in a page fault there
                found.update((piece.key, piece) for piece in self._split(access, gva, size))
        return list(found.values())

    def _whole(self) -> list[tuple[Access, int, int]]:
        """Sixteen bytes are one access, of which a processor knows the pages before it begins; the engine makes two."""
        found: list[tuple[Access, int, int]] = []
        for access, gva, size in self._touched:
            if size == _MAX_PIECE and found and found[-1] == (access, gva - _MAX_PIECE, _MAX_PIECE):
                found[-1] = (access, gva - _MAX_PIECE, 2 * _MAX_PIECE)
            else:
                found.append((access, gva, size))
        return found

    def _split(self, access: Access, gva: int, size: int) -> Iterator[Piece]:
        while size:
            inside = gva & _INSIDE
            here = min(size, _MAX_PIECE, PAGE_SIZE - inside)
            index = self._index[gva >> PAGE_SHIFT]
            at = index << PAGE_SHIFT | inside
            data = bytes(self.buffer[at : at + here]) if access is Access.WRITE else None
            yield Piece(self._gpas[index] | inside, access, here, data, gva)
            gva, size = gva + here, size - here

    def _preload(self, index: int, gpa: int) -> None:
        offset = self._space.offset(gpa)
        at = index << PAGE_SHIFT
        # The void reads as all ones, as a bus that nobody drives.
        content = b"\xff" * PAGE_SIZE if offset is None else self._ram.view[offset : offset + PAGE_SIZE]
        self.buffer[at : at + PAGE_SIZE] = bytes(content)
        for (_, where, size), data in self._answers.items():
            if where & ~_INSIDE == gpa:
                self.buffer[at + (where & _INSIDE) : at + (where & _INSIDE) + size] = data

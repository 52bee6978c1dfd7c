"""4-level page tables of long mode (SDM Vol. 3, 5.5), as pure functions: a walk, and the identity map of a guest."""

import struct
from collections.abc import Callable

import msgspec

from engine.model.layout import PAGE_DIRECTORIES, PDPT, PML4

PRESENT, WRITABLE, USER = 1 << 0, 1 << 1, 1 << 2
ACCESSED, DIRTY, LARGE = 1 << 5, 1 << 6, 1 << 7
NO_EXECUTE = 1 << 63
_FRAME = 0x000F_FFFF_FFFF_F000
_SHIFTS = (39, 30, 21, 12)
_LARGE_SHIFTS = (30, 21)
_DIRECTORIES = 4


class Translation(msgspec.Struct, frozen=True):
    """Where a virtual address leads, with the rights of all levels taken together."""

    gpa: int
    page_size: int
    """Bytes: 4 KiB, 2 MiB or 1 GiB."""
    writable: bool
    user: bool
    executable: bool
    entries: tuple[tuple[int, int], ...]
    """(gpa of the entry, its value), from the top level down."""


def walk(read: Callable[[int], int], cr3: int, gva: int) -> Translation | None:
    """Translate `gva`; `read` gives the u64 at a gpa, and its exceptions pass through. None: not mapped, or not
    canonical. Nothing is written: accessed and dirty bits stay as they are."""
    if gva >> 47 not in (0, 0x1FFFF):
        return None
    table, entries = cr3 & _FRAME, list[tuple[int, int]]()
    for shift in _SHIFTS:
        at = table + (gva >> shift & 0x1FF) * 8
        entry = read(at)
        entries.append((at, entry))
        if not entry & PRESENT:
            return None
        if shift == 12 or (entry & LARGE and shift in _LARGE_SHIFTS):
            return _translation(entry, gva, shift, tuple(entries))
        table = entry & _FRAME
    raise AssertionError("the last level always translates")


def _translation(entry: int, gva: int, shift: int, entries: tuple[tuple[int, int], ...]) -> Translation:
    inside = (1 << shift) - 1
    every, some = ~0, 0
    for _, value in entries:
        every, some = every & value, some | value
    return Translation(
        gpa=(entry & _FRAME & ~inside) | (gva & inside),
        page_size=1 << shift,
        writable=bool(every & WRITABLE),
        user=bool(every & USER),
        executable=not some & NO_EXECUTE,
        entries=entries,
    )


def identity_tables() -> dict[int, bytes]:
    """The system area's tables by gpa: the low 4 GiB onto themselves in 2 MiB pages, supervisor only.

    Accessed and dirty bits are set beforehand, so that a walk by hardware writes nothing.
    """
    upper = PRESENT | WRITABLE | ACCESSED
    leaf = upper | DIRTY | LARGE
    tables = {
        PML4: _table([PDPT | upper]),
        PDPT: _table([(PAGE_DIRECTORIES + (n << 12)) | upper for n in range(_DIRECTORIES)]),
    }
    for n in range(_DIRECTORIES):
        tables[PAGE_DIRECTORIES + (n << 12)] = _table([(n << 30) + (i << 21) | leaf for i in range(512)])
    return tables


def _table(entries: list[int]) -> bytes:
    return struct.pack("<512Q", *entries, *([0] * (512 - len(entries))))

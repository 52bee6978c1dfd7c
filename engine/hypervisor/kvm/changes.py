"""What changed lately: a denied access is judged by what was true while its vCPU was in the guest, not only by now."""

from collections import deque

from engine.model.address import PageRange
from engine.model.memslot import Memslot
from engine.model.rights import Access

REMEMBERED = 4096
REMEMBERED_BYTES = 64 << 20
"""A mask on all of the largest guest is remembered by a mebibyte."""


class Changes:
    """`serial` counts changes; a vCPU notes it at entry and asks later what happened since. Guarded by the vm's lock.

    A mask change older than the last 4,096, or than the last 64 MiB of them, is forgotten: the access then counts as
    made after it.
    """

    def __init__(self) -> None:
        self.serial = 0
        self._masks: deque[tuple[int, int, int, bytes]] = deque()
        self._bytes = 0
        self._absent: dict[tuple[int, int], int] = {}
        """By base and size the last change there, oldest first: asking costs by what is newer."""

    def mask_changed(self, vtl: int, first: int, before: bytes) -> None:
        """Pages from gfn `first` had the rights `before`, a byte each."""
        self.serial += 1
        self._masks.append((self.serial, vtl, first, before))
        self._bytes += len(before)
        while len(self._masks) > REMEMBERED or self._bytes > REMEMBERED_BYTES:
            self._bytes -= len(self._masks.popleft()[3])

    def slot_absent(self, slot: Memslot) -> None:
        """`slot` was deleted or moved away."""
        self.serial += 1
        self._absent.pop((slot.base, slot.size), None)
        self._absent[slot.base, slot.size] = self.serial

    def slot_present(self, slot: Memslot) -> None:
        """`slot` was added or moved here: until now its pages were void."""
        self.slot_absent(slot)

    def denied_since(self, serial: int, vtl: int, gfn: int, access: Access) -> bool:
        """Whether a mask that has been changed since `serial` forbade the access."""
        for at, of, first, before in reversed(self._masks):
            if at <= serial:
                return False
            if of == vtl and first <= gfn < first + len(before) and not before[gfn - first] & access.needs:
                return True
        return False

    def void_since(self, serial: int, gfn: int) -> bool:
        """Whether the page was in no slot at some moment since `serial`."""
        for (base, size), at in reversed(self._absent.items()):
            if at <= serial:
                return False
            if gfn in PageRange.of(base, size):
                return True
        return False

"""Dirty tracking of all slots, in each of KVM's ways (api.rst 4.8, 4.117, 8.29)."""

import msgspec

from engine.hypervisor.sim.dirty_log import DirtyLog, LogState
from engine.model.dirty import DirtyPage, DirtyWay
from engine.model.memslot import Memslot
from engine.model.page_set import PageSet


class DirtyState(msgspec.Struct, frozen=True):
    """What all logs held at a moment."""

    logs: dict[int, tuple[int, LogState]]
    """By slot id: its pages, and what its log held."""
    outside: frozenset[tuple[int, int]]
    way: DirtyWay
    initially_set: bool


class DirtyLogs:
    """Logs by slot id. A log lives as long as its slot is logged: moving keeps it, dropping the flag forgets it.

    With rings, a page's bit says that some vCPU's ring has it; what the VMM writes is kept apart.
    """

    def __init__(self) -> None:
        self.way: DirtyWay = "log"
        self.initially_set = False
        self._logs: dict[int, DirtyLog] = {}
        self._outside: set[tuple[int, int]] = set()

    def follow(self, slot: Memslot) -> None:
        """A slot was made, changed, moved or (size 0) deleted."""
        if slot.size == 0 or not slot.logged:
            if self._logs.pop(slot.slot, None) is not None and self._outside:
                self._outside = {page for page in self._outside if page[0] != slot.slot}
        elif slot.slot not in self._logs:
            self._logs[slot.slot] = DirtyLog(slot.size >> 12, self.initially_set)

    def logged(self, slot: int) -> bool:
        return slot in self._logs

    def mark(self, slot: Memslot, gfn: int) -> None:
        """Nothing happens when the slot is not logged."""
        log = self._logs.get(slot.slot)
        if log is not None:
            log.mark(gfn - (slot.base >> 12))

    def mark_outside(self, slot: Memslot, gfn: int) -> None:
        """Written by the VMM: no ring takes it."""
        log = self._logs.get(slot.slot)
        if log is not None and self.way != "ring":
            log.mark(gfn - (slot.base >> 12))
        elif log is not None:
            self._outside.add((slot.slot, gfn - (slot.base >> 12)))

    def to_rings(self) -> None:
        """Before there is a vCPU: what has been written by now, the VMM wrote."""
        self.way = "ring"
        for slot, log in self._logs.items():
            self._outside |= {(slot, page) for page in PageSet.of_bitmap(log.bitmap())}
            log.empty()

    def take_outside(self) -> tuple[DirtyPage, ...]:
        found, self._outside = sorted(self._outside), set()
        return tuple(DirtyPage(slot, offset) for slot, offset in found)

    def unseen(self, slot: Memslot, gfn: int) -> bool:
        """Whether a write to this page is still to be noted, so that it must not go unseen."""
        log = self._logs.get(slot.slot)
        return log is not None and not log.has(gfn - (slot.base >> 12))

    def take(self, slot: int) -> tuple[bytes, bool]:
        """The bitmap, and whether any bit may have been cleared: with manual protection, none is."""
        log = self._logs[slot]
        bitmap = log.bitmap()
        cleared = self.way == "log" and not log.clean
        if cleared:
            log.empty()
        return bitmap, cleared

    def clear(self, slot: int, first: int, count: int, bitmap: bytes) -> None:
        """Clean those of `count` pages from `first` whose bit is set."""
        chosen = int.from_bytes(bitmap, "little") & ((1 << count) - 1)
        self._logs[slot].clear(first, chosen.to_bytes(len(bitmap), "little"))

    def arm(self, pages: list[DirtyPage]) -> None:
        """Their next write is to be noted again."""
        for page in pages:
            log = self._logs.get(page.slot)
            if log is not None and page.offset < log.pages:
                log.wipe(page.offset)

    def pages(self, slot: int) -> int:
        return self._logs[slot].pages

    def state(self) -> DirtyState:
        """For a snapshot. Costs by the chunks of 32,768 pages that were ever written, not by their content."""
        logs = {slot: (log.pages, log.state()) for slot, log in self._logs.items()}
        return DirtyState(logs, frozenset(self._outside), self.way, self.initially_set)

    def restore(self, state: DirtyState) -> None:
        """The slots must be restored as well, and then `generation` must grow (Space)."""
        self.way, self.initially_set = state.way, state.initially_set
        self._outside = set(state.outside)
        logs: dict[int, DirtyLog] = {}
        for slot, (pages, held) in state.logs.items():
            logs[slot] = DirtyLog(pages)
            logs[slot].restore(held)
        self._logs = logs

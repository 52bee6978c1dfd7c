"""What happens by host time: the churn of a slot, limits and script entries in seconds. All of it as commands."""

import threading
import time
from collections.abc import Callable

from engine.machine.gate import OPEN_PHASES
from engine.model.commands import AnyCommand, Churn, DeleteSlot, End, SetSlot
from engine.model.events import AnyEvent, CommandTaken, PhaseChanged
from engine.model.memslot import Memslot

LONGEST_GAP = 0.002
"""Seconds that a churned slot is away, at most: long enough for a vCPU to meet the void."""
PATIENCE = 0.02

Give = Callable[[AnyCommand, str], str]


class Clock:
    """A thread that gives commands when their time has come; time counts only while the run is running."""

    def __init__(
        self,
        give: Give,
        slots: Callable[[], dict[int, Memslot]],
        due_at: Callable[[float], list[AnyCommand]],
        limit: float | None,
    ) -> None:
        self._give, self._slots, self._due_at, self._limit = give, slots, due_at, limit
        self._churn: Churn | None = None
        self._away: Memslot | None = None
        self._next = 0.0
        self._running = False
        self._ran = 0.0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="clock", daemon=True)
        self._thread.start()

    def observe(self, event: AnyEvent) -> None:
        """A sink of the log: the run goes on or stands still, a churn was asked for."""
        match event:
            case PhaseChanged(phase=phase):
                self._running = phase in OPEN_PHASES
            case CommandTaken(command=Churn() as churn, error=""):
                self._churn, self._next = churn, time.monotonic()
            case _:
                pass

    def close(self) -> None:
        self._closing.set()
        self._thread.join()

    def _loop(self) -> None:
        before = time.monotonic()
        while not self._closing.wait(self._patience()):
            now = time.monotonic()
            if self._running:
                self._ran += now - before
                self._tick(now)
            self._tick_churn(now)
            before = now

    def _patience(self) -> float:
        if self._churn is None or not self._running:
            return PATIENCE
        return min(PATIENCE, max(0.0, self._next - time.monotonic()))

    def _tick(self, now: float) -> None:
        for command in self._due_at(self._ran):
            self._give(command, "clock")
        if self._limit is not None and self._ran >= self._limit:
            self._limit = None
            self._give(End("limit:seconds"), "clock")

    def _tick_churn(self, now: float) -> None:
        # A churn that was switched off brings its slot back even while the run stands still.
        if self._churn is not None and now >= self._next and (self._running or not self._churn.rate):
            self._churn_once(self._churn, now)

    def _churn_once(self, churn: Churn, now: float) -> None:
        """Take the slot away, or bring it back."""
        if self._away is not None:
            self._give(SetSlot(self._away), "churn")
            self._away = None
            self._churn = churn if churn.rate else None
            self._next = self._next + 1 / churn.rate - self._gap(churn.rate) if churn.rate else 0.0
            self._next = max(self._next, now)
        elif churn.rate == 0:
            self._churn = None
        else:
            self._away = self._slots().get(churn.slot)
            if self._away is None or self._give(DeleteSlot(churn.slot), "churn"):
                # Somebody else took the slot away: the churn is over, and the log must say so.
                self._give(Churn(churn.slot, 0.0), "churn")
                self._away = self._churn = None
            self._next += self._gap(churn.rate)

    @staticmethod
    def _gap(rate: float) -> float:
        return min(LONGEST_GAP, 0.5 / rate)

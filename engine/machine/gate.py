"""The gate every exit passes: open or closed, how fast, and how many.

A vCPU that exits while the gate is closed keeps its exit in hand; it is taken, and logged, once the gate opens again.
So a step takes exactly one exit and a limit ends at exactly its number, however many vCPUs run.
"""

from engine.model.scenario import Limits

OPEN_PHASES = ("running", "stepping")
LONGEST_WAIT = 1.0
"""Seconds: at a very low speed the gate is asked again after this. No clock can wait for ever (OverflowError)."""


class Gate:
    """State only; the time is told to it. `phase` is paused, running, stepping or ended."""

    def __init__(self, limits: Limits) -> None:
        self.phase = "paused"
        self.why = ""
        self.exits = 0
        self.speed: float | None = None
        self._limit = limits.exits
        self._next_due = 0.0

    @property
    def is_open(self) -> bool:
        return self.phase in OPEN_PHASES

    def set_speed(self, speed: float | None) -> None:
        """Exits a second from now on. What the speed before had put off is due at once."""
        self.speed, self._next_due = speed, 0.0

    def delay(self, now: float) -> float | None:
        """Seconds until the gate should be asked again; 0: an exit may be taken now; None: not while it is closed."""
        if not self.is_open:
            return None
        if self.speed is None or self.phase == "stepping":
            return 0.0
        return min(LONGEST_WAIT, max(0.0, self._next_due - now))

    def count(self, now: float) -> None:
        """An exit is taken."""
        self.exits += 1
        if self.speed is not None:
            # A vCPU that was late may catch up by one interval, not by a burst.
            self._next_due = max(self._next_due, now - 1 / self.speed) + 1 / self.speed

    def after_exit(self) -> tuple[str, str] | None:
        """The phase and reason that the exit just taken leads to, or None to go on."""
        if self._limit is not None and self.exits >= self._limit:
            return "ended", "limit:exits"
        if self.phase == "stepping":
            return "paused", "step"
        return None

"""What becomes of a session that nobody watches: first paused, then closed. Pure; the caller brings the clock."""

from typing import Literal

Action = Literal["nothing", "pause", "resume", "close"]


class Idle:
    """Knows when a session was last watched or used, and whether its pause was ours."""

    def __init__(self, pause_after: float, close_after: float, now: float) -> None:
        self._pause_after = pause_after
        self._close_after = close_after
        self._since = now
        self._running = False
        self._paused_here = False

    def used(self, now: float) -> None:
        """Somebody asked something of it."""
        self._since = now

    def told(self, command: str) -> None:
        """A command that a person gave, by its tag, was carried out: theirs counts from now on, not ours."""
        if command in ("run", "pause", "step", "reset"):
            self._running = command == "run"
            self._paused_here = False

    def unwatched(self, now: float) -> float:
        """Seconds since it was last watched or used."""
        return now - self._since

    def next(self, viewers: int, now: float) -> Action:
        """What to do now; it is taken as done."""
        if viewers:
            self._since = now
            resume, self._paused_here = self._paused_here, False
            return "resume" if resume else "nothing"
        if self.unwatched(now) >= self._close_after:
            return "close"
        if self._running and not self._paused_here and self.unwatched(now) >= self._pause_after:
            self._paused_here = True
            return "pause"
        return "nothing"

"""Rates per host second from counters that grow, over the last second or so."""

from collections import deque


class Rate:
    """Feed it (host seconds, counter); it keeps the samples of `window` seconds."""

    def __init__(self, window: float = 1.0) -> None:
        self._window = window
        self._samples: deque[tuple[float, int]] = deque()

    def feed(self, now: float, counter: int) -> float:
        """Units a second over the window that ends now; 0 until there are two samples."""
        if self._samples and counter < self._samples[-1][1]:
            self._samples.clear()  # a new run counts from 0
        self._samples.append((now, counter))
        while len(self._samples) > 2 and self._samples[1][0] <= now - self._window:
            self._samples.popleft()
        then, before = self._samples[0]
        return (counter - before) / (now - then) if now > then else 0.0

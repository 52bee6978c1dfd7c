"""The event log: gives every event its seq and time, and hands it on."""

import threading
from collections.abc import Callable
from typing import Any

from engine.model.events import AnyEvent, Event

Sink = Callable[[AnyEvent], None]


class Recorder:
    """Thread-safe; sinks are called in seq order, one event at a time, and must be quick."""

    def __init__(self, clock: Callable[[], int], *sinks: Sink) -> None:
        self.seq = 0
        self.clock = clock
        self._sinks = sinks
        self._lock = threading.Lock()

    def __call__(self, kind: type[Event], fields: dict[str, Any]) -> None:
        with self._lock:
            self.seq += 1
            event: Any = kind(seq=self.seq, time=self.clock(), **fields)
            for sink in self._sinks:
                sink(event)

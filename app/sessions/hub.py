"""Fan-out of one session's frames to its viewers. Frames pass unopened; each viewer's credit is its own."""

import asyncio
from collections.abc import Callable

from app.sessions.viewer import Merge, Viewer
from engine import wire


class Seat:
    """A viewer and the bell that says there may be something to send."""

    def __init__(self, merge: Merge) -> None:
        self.viewer = Viewer(merge)
        self.bell = asyncio.Event()


class Hub:
    """Viewers that fall behind together miss the same frames: what is merged for one is merged for all."""

    def __init__(self, merge: Merge, want_keyframe: Callable[[], None]) -> None:
        self._merge = merge
        self._want_keyframe = want_keyframe
        self._seats: set[Seat] = set()
        self._merged: dict[tuple[int, int], bytes] = {}

    def __len__(self) -> int:
        return len(self._seats)

    def join(self) -> Seat:
        seat = Seat(self._merge_once)
        self._seats.add(seat)
        self._want_keyframe()
        return seat

    def leave(self, seat: Seat) -> None:
        self._seats.discard(seat)

    def publish(self, frame: wire.FrameReady) -> None:
        self._merged.clear()
        for seat in self._seats:
            seat.viewer.offer(frame.seq, frame.keyframe, frame.data)
            seat.bell.set()

    def ring(self) -> None:
        """Wake everybody: the engine has ended."""
        for seat in self._seats:
            seat.bell.set()

    def _merge_once(self, older: bytes, newer: bytes) -> bytes:
        # By identity, and only within one publish, while both are alive.
        key = id(older), id(newer)
        if key not in self._merged:
            self._merged[key] = self._merge(older, newer)
        return self._merged[key]

"""One viewer's credit: what it may be sent now, and what it missed, merged. Pure: no socket, no clock, no task."""

from collections import deque
from collections.abc import Callable

CREDIT = 2
"""Frames that a viewer may leave unacknowledged."""

Merge = Callable[[bytes, bytes], bytes]
"""(older, newer) to one frame that stands for both: engine.session.merge."""


class BadAckError(ValueError):
    """An acknowledgement of something that was never sent."""


class Viewer:
    """`offer` what the engine sends, `take` what may go out, `acknowledge` what came back."""

    def __init__(self, merge: Merge) -> None:
        self._merge = merge
        self._started = False
        self._pending: tuple[int, bytes] | None = None
        self._unacknowledged: deque[int] = deque()
        self._newest_acknowledged = 0

    @property
    def waiting(self) -> int:
        """Bytes kept back for want of credit."""
        return len(self._pending[1]) if self._pending else 0

    @property
    def stalled(self) -> bool:
        """Out of credit: only an acknowledgement helps."""
        return len(self._unacknowledged) >= CREDIT

    def offer(self, seq: int, keyframe: bool, frame: bytes) -> None:
        """Keep `frame` for the next take, merged into what is kept already. Nothing counts before a keyframe."""
        self._started = self._started or keyframe
        if self._started:
            self._pending = (seq, self._merge(self._pending[1], frame) if self._pending else frame)

    def take(self) -> bytes | None:
        """The frame to send now; None when there is none or no credit."""
        if self._pending is None or self.stalled:
            return None
        seq, frame = self._pending
        self._pending = None
        self._unacknowledged.append(seq)
        return frame

    def acknowledge(self, seq: int) -> None:
        """The viewer has shown frame `seq`, and so all before it. BadAckError for one that it was never sent."""
        if seq in self._unacknowledged:
            while self._unacknowledged.popleft() != seq:
                pass
            self._newest_acknowledged = seq
        elif not 0 < seq <= self._newest_acknowledged:
            raise BadAckError(seq)

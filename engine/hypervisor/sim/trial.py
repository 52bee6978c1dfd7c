"""One instruction that could not be executed as it stands: tried out on scratch pages until all its answers are in.

Nothing of it is visible before `commit`: registers are those before the instruction, RAM is untouched. Each attempt
executes it anew with the answers so far, so an instruction of several exits is a matter of several attempts, and a
read-modify-write is whole: what it stores is computed from what its load sees at commit.
"""

from typing import Any

import msgspec

from engine.hypervisor.sim.cpu.core import Core
from engine.hypervisor.sim.exits import Verdict, verdict
from engine.hypervisor.sim.fill import Fill
from engine.hypervisor.sim.memory import SimMemory
from engine.hypervisor.sim.scratch import Piece, Scratch
from engine.hypervisor.sim.space import Space
from engine.hypervisor.sim.stop import PortAccess, Stop
from engine.model.resolution import Complete, Drop
from engine.model.rights import Access

Cause = Piece | PortAccess
"""What the VMM is asked about: a piece of memory access, or port I/O."""
Key = tuple[Access, int, int]


class TrialState(msgspec.Struct, frozen=True):
    """An instruction half answered."""

    loads: dict[Key, bytes]
    lifted: frozenset[Key]
    settled: frozenset[Key]
    io: int | None
    asked: Verdict
    stop: Stop | None
    pieces: tuple[Piece, ...]
    after: bytes


class Trial:
    """`begin`, then `cause` and `answer` until `cause` is None, then `commit` (or `abandon` at any point)."""

    def __init__(self, core: Core, fill: Fill, scratch: Scratch, space: Space, memory: SimMemory) -> None:
        self._core, self._fill, self._scratch = core, fill, scratch
        self._space, self._memory = space, memory
        self._before: Any = core.context()
        self._after = b""
        self._loads: dict[Key, bytes] = {}
        self._lifted: set[Key] = set()
        self._settled: set[Key] = set()
        self.begun = 0
        self._io: int | None = None
        self._asked = Verdict.ALLOWED
        self._stop: Stop | None = None
        self._pieces: list[Piece] = []

    def begin(self) -> None:
        """A new instruction, at the core's RIP."""
        self.begun += 1
        self._loads.clear()
        self._lifted.clear()
        self._settled.clear()
        self._io = self._stop = None

    def cause(self) -> Cause | None:
        """The next thing to ask about: loads in order, then I/O, then stores in order. None: all is known."""
        if self._stop is None:
            self._attempt()
        assert self._stop is not None
        found = self._open(Access.READ) or self._stop.event
        if found is None and not _faults(self._stop):
            found = self._open(Access.WRITE)
        if isinstance(found, Piece):
            self._asked = self.verdict(found)
        return found

    def verdict(self, piece: Piece) -> Verdict:
        """A page that has lost its slot since its fence was lifted is asked about again, as void."""
        return verdict(self._space, self._fill.vtl, piece.gpa, piece.access, piece.key not in self._lifted)

    def answer(self, cause: Cause, resolution: Complete | Drop) -> None:
        data = resolution.data if isinstance(resolution, Complete) else None
        if isinstance(cause, PortAccess):
            ones = (1 << 8 * cause.size) - 1
            self._io = ones if data is None else int.from_bytes(data[: cause.size], "little")
            self._stop = None
            return
        if cause.access is Access.READ or any(piece.access is Access.READ for piece in self._pieces):
            # What it computes depends on memory, which may have changed since.
            self._stop = None
        if isinstance(resolution, Complete) and data is None and self._asked is Verdict.PROTECTION:
            self._lifted.add(cause.key)
        elif cause.access is Access.WRITE:
            self._settled.add(cause.key)
        else:
            self._loads[cause.key] = filled(data, cause.size)

    def commit(self) -> Stop:
        """Let it have happened: stores that may land do, registers go on. Says how the instruction ended."""
        assert self._stop is not None
        for piece in self._pieces:
            if piece.data is not None and _happens(self._stop) and self._lands(piece):
                self._memory.write(piece.gpa, piece.data)
        self._core.set_state(self._after)
        self._core.executed += self._stop.executed
        return self._stop

    def state(self) -> TrialState:
        """For a snapshot, while the instruction waits for an answer."""
        lifted, settled = frozenset(self._lifted), frozenset(self._settled)
        pieces = tuple(self._pieces)
        return TrialState(self._loads.copy(), lifted, settled, self._io, self._asked, self._stop, pieces, self._after)

    def restore(self, state: TrialState) -> None:
        self._loads, self._lifted, self._settled = state.loads.copy(), set(state.lifted), set(state.settled)
        self._io, self._asked, self._stop = state.io, state.asked, state.stop
        self._pieces, self._after = list(state.pieces), state.after

    def _attempt(self) -> None:
        core = self._core
        core.save(self._before)
        self._scratch.begin(self._loads)
        self._fill.trying, core.instructions.answer = True, self._io
        core.flush()
        try:
            self._stop = core.start(1)
        finally:
            self._fill.trying, core.instructions.answer = False, None
        core.executed -= self._stop.executed
        self._pieces = self._scratch.pieces()
        self._after = core.state()
        core.restore(self._before)
        core.flush()

    def _open(self, access: Access) -> Piece | None:
        return next((piece for piece in self._pieces if piece.access is access and self._is_open(piece)), None)

    def _is_open(self, piece: Piece) -> bool:
        answered = piece.key in self._loads or piece.key in self._settled
        return not answered and self.verdict(piece) is not Verdict.ALLOWED

    def _lands(self, piece: Piece) -> bool:
        return piece.key not in self._settled and self.verdict(piece) is Verdict.ALLOWED


def filled(data: bytes | None, size: int) -> bytes:
    """What a load gets: all ones where the answer gives nothing, as from a bus that nobody drives."""
    return (data or b"")[:size].ljust(size, b"\xff")


def _faults(stop: Stop) -> bool:
    """The instruction ends in an exception, so that its stores do not happen."""
    if stop.reason == "exception":
        return not _happens(stop)
    return stop.reason == "guarded" or (stop.denied is not None and stop.denied.gpa is None)


def _happens(stop: Stop) -> bool:
    """It has been executed to its end; a trap (RFLAGS.TF) comes behind it."""
    return stop.reason in ("budget", "hlt") or (stop.raised is not None and stop.executed > 0)

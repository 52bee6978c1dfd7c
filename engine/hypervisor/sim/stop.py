"""How a run of the core stops, and what the core asks of its surroundings: values, no emulator."""

from typing import Protocol

import msgspec

from engine.hypervisor.sim.deliver import Event, Segment
from engine.model.memslot import Memslot
from engine.model.registers import Registers
from engine.model.rights import Access


class PortAccess(msgspec.Struct, frozen=True, gc=False):
    """IN or OUT, as it happens: the registers before it, and the value going out (None: IN)."""

    port: int
    size: int
    value: int | None
    before: Registers


class MsrAccess(msgspec.Struct, frozen=True, gc=False):
    """RDMSR or WRMSR (`value` going in, None: RDMSR) of a register that the simulator does not keep."""

    index: int
    value: int | None
    length: int


class Jump(msgspec.Struct, frozen=True, gc=False):
    """SYSCALL: where the guest goes on."""

    registers: Registers
    cs: Segment
    ss: Segment


class Anew(msgspec.Struct, frozen=True, gc=False):
    """The instruction is executed as the first of a run: the engine does it right only there."""


Guarded = Event | MsrAccess | Jump | Anew
"""What takes the place of an instruction that the engine is not to do."""


class Denied(msgspec.Struct, frozen=True, gc=False):
    """An access that must leave the guest. `gpa` None: the guest's own tables refuse it, a page fault. Else with the
    slot there and what rights are left; `ring_full`: nothing is wrong with it, but the dirty ring cannot note it."""

    gva: int
    access: Access
    gpa: int | None = None
    slot: Memslot | None = None
    left: int = 0
    ring_full: bool = False


class Raised(msgspec.Struct, frozen=True, gc=False):
    """An exception that the engine found; `error_code` means something for vectors that push one."""

    vector: int
    error_code: int
    software: bool
    """By INT n or INT3."""


class Stop(msgspec.Struct, frozen=True, gc=False):
    """Why a run stopped: budget, hlt, io, fault (the fill denied an access), exception, guarded (the instruction at RIP
    is not to happen in the engine), or error (the engine cannot go on); `executed` instructions."""

    reason: str
    executed: int
    event: PortAccess | None = None
    raised: Raised | None = None
    denied: Denied | None = None
    guarded: Guarded | None = None
    error: str = ""


class Watcher(Protocol):
    """What a core asks and tells while it runs."""

    def begin(self) -> None:
        """A run begins."""
        ...

    def fill(self, gva: int, access: Access) -> tuple[int, int] | None: ...

    def refused(self, gva: int) -> Denied | None:
        """What the last fill of this run refused, at `gva` in its page or the next; None when it refused nothing."""
        ...

    def touched(self, access: Access, at: int, size: int) -> None: ...

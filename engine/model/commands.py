"""Commands: everything a person, a script or a timer may ask of a running machine. The only way in."""

import msgspec

from engine.model.memslot import Memslot
from engine.model.scenario import OnProtection


class Command(msgspec.Struct, frozen=True, gc=False, tag_field="do"):
    """A request; refused as a whole or carried out as a whole, and logged either way."""


class Run(Command, frozen=True, gc=False, tag="run"):
    """Let the vCPUs run until pause, a limit or the end."""


class Pause(Command, frozen=True, gc=False, tag="pause"):
    """Bring every vCPU out of the guest; answered once none is inside."""


class Step(Command, frozen=True, gc=False, tag="step"):
    """Run until one exit has been taken, then pause."""


class Reset(Command, frozen=True, gc=False, tag="reset"):
    """Build the machine anew from its scenario, paused; a new log begins."""


class SetMask(Command, frozen=True, gc=False, tag="set_mask"):
    """VTL `vtl` may from now on do to `pages` pages at gpa `base` what `rights` says (bits R 1, W 2, KX 4, UX 8)."""

    base: int
    pages: int
    rights: int
    vtl: int = 0


class SetSlot(Command, frozen=True, gc=False, tag="set_slot"):
    """Add a memslot, or change the flags or base of an existing one (size and offset stay)."""

    slot: Memslot


class DeleteSlot(Command, frozen=True, gc=False, tag="delete_slot"):
    slot: int


class MoveSlot(Command, frozen=True, gc=False, tag="move_slot"):
    """Give the slot a new base gpa; its data moves along."""

    slot: int
    base: int


class Churn(Command, frozen=True, gc=False, tag="churn"):
    """Delete and add back `slot` `rate` times a second, under running vCPUs; rate 0 stops."""

    slot: int
    rate: float


class SetPolicy(Command, frozen=True, gc=False, tag="set_policy"):
    """What a protection exit does from now on."""

    on_protection: OnProtection


class SetSpeed(Command, frozen=True, gc=False, tag="set_speed"):
    """At most so many exits a second over all vCPUs; None: as fast as they come."""

    exits_per_second: float | None


class Harvest(Command, frozen=True, gc=False, tag="harvest"):
    """Collect and clear the dirty log of every logged slot."""


class End(Command, frozen=True, gc=False, tag="end"):
    """The run is over: a limit of host time was reached. Given by the clock, never by a person."""

    why: str


AnyCommand = (
    Run
    | Pause
    | Step
    | Reset
    | SetMask
    | SetSlot
    | DeleteSlot
    | MoveSlot
    | Churn
    | SetPolicy
    | SetSpeed
    | Harvest
    | End
)

"""Commands: everything a person, a script or a timer may ask of a running machine. The only way in."""

from typing import Annotated

import msgspec
from msgspec import Meta

from engine.model.address import Gpa
from engine.model.memslot import Memslot, SlotId
from engine.model.scenario import OnProtection

PageCount = Annotated[int, Meta(ge=1, le=1 << 40)]
RightsBits = Annotated[int, Meta(ge=0, le=15)]
VtlNumber = Annotated[int, Meta(ge=0, le=15)]
PerSecond = Annotated[float, Meta(ge=0, le=10_000)]
ExitsPerSecond = Annotated[float, Meta(gt=0, le=1e9)]


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

    base: Gpa
    pages: PageCount
    rights: RightsBits
    vtl: VtlNumber = 0


class SetSlot(Command, frozen=True, gc=False, tag="set_slot"):
    """Add a memslot, or change the flags or base of an existing one (size and offset stay)."""

    slot: Memslot


class DeleteSlot(Command, frozen=True, gc=False, tag="delete_slot"):
    slot: SlotId


class MoveSlot(Command, frozen=True, gc=False, tag="move_slot"):
    """Give the slot a new base gpa; its data moves along."""

    slot: SlotId
    base: Gpa


class Churn(Command, frozen=True, gc=False, tag="churn"):
    """Delete and add back `slot` `rate` times a second, under running vCPUs; rate 0 stops."""

    slot: SlotId
    rate: PerSecond


class SetPolicy(Command, frozen=True, gc=False, tag="set_policy"):
    """What a protection exit does from now on."""

    on_protection: OnProtection


class SetSpeed(Command, frozen=True, gc=False, tag="set_speed"):
    """At most so many exits a second over all vCPUs; None: as fast as they come."""

    exits_per_second: ExitsPerSecond | None


class Harvest(Command, frozen=True, gc=False, tag="harvest"):
    """Collect and clear the dirty log of every logged slot."""


class End(Command, frozen=True, gc=False, tag="end"):
    """The run is over: a limit of host time was reached. Given by the clock, never by a person."""

    why: Annotated[str, Meta(max_length=80)]


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

"""Events: everything that happened, in order. The log of a run is a LogHeader and then events, seq 1, 2, 3, ..."""

import msgspec

from engine.model.commands import AnyCommand
from engine.model.exits import AnyExit
from engine.model.memslot import Memslot
from engine.model.resolution import Resolution

LOG_VERSION = 1


class LogHeader(msgspec.Struct, frozen=True):
    """What a log needs to be read and run again."""

    version: int
    scenario: bytes
    """Canonical JSON (engine.model.text)."""
    hypervisor: str
    """Name shown to people, `kvm` or `sim`."""
    clock: str
    """Whose clock `time` is: `host ns` or `guest instructions`."""


class Event(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag_field="event"):
    seq: int
    time: int
    """In the header's clock, from the start of the run."""


class CommandTaken(Event, frozen=True, gc=False, kw_only=True, tag="command"):
    """A command was accepted (`error` empty) or refused. `position`: the place between slices
    where a replay must give it (engine.machine.slices); 0 where vCPUs run concurrently."""

    command: AnyCommand
    position: int = 0
    by: str = "user"
    """`user`, `churn`, `tick` and `clock` come from outside and are given again by a replay; a run makes those by
    `script` itself."""
    error: str = ""


class ExitTaken(Event, frozen=True, gc=False, kw_only=True, tag="exit"):
    """A vCPU left the guest and was answered."""

    exit: AnyExit
    resolution: Resolution | None = None
    """None when the exit ended the vCPU."""
    mask: int | None = None
    """On a protection exit, the rights the page had."""


class MaskChanged(Event, frozen=True, gc=False, kw_only=True, tag="mask"):
    """`pages` from gfn `first` now have `rights`; `before` are the runs (first, count, rights) they had. Where VTLs
    have set it, `setter` is the lowest one that leaves less than all; 0: the VMM has, or nothing is taken."""

    vtl: int
    first: int
    pages: int
    rights: int
    before: tuple[tuple[int, int, int], ...]
    setter: int = 0


class SlotChanged(Event, frozen=True, gc=False, kw_only=True, tag="slot"):
    """Added (before None), deleted (after None), moved or flags changed."""

    before: Memslot | None
    after: Memslot | None


class DirtyHarvested(Event, frozen=True, gc=False, kw_only=True, tag="dirty"):
    """Pages written since the last harvest: a little-endian bitmap over the whole guest, bit 0 is gfn 0."""

    count: int
    bitmap: bytes
    packed: bool
    """The bitmap is zlib-compressed; left as it is where that would not pay."""
    lost: bool = False
    """The host's dirty ring lost entries: the bitmap has all logged pages, for any may have been written."""


class VcpuChanged(Event, frozen=True, gc=False, kw_only=True, tag="vcpu"):
    """`state`: running, stopped, halted (by HLT), fenced (halted by policy), dead (shutdown or internal error), or
    waiting (for StartVirtualProcessor, or for another one's TLB lock)."""

    vcpu: int
    state: str
    why: str = ""


class HypercallServed(Event, frozen=True, gc=False, kw_only=True, tag="served"):
    """A stretch of a hypercall, after the exit that brought it. Masks that it changed are events of their own."""

    vcpu: int
    vtl: int
    """The caller's."""
    call: str
    """The call's name in TLFS, without HvCall; its code in hex where it is none of ours."""
    status: str
    """HV_STATUS_ name, without the prefix."""
    reps: int
    """Completed so far, of `count`."""
    count: int
    finished: bool
    """False: the guest makes the call again, to go on with the next rep."""
    why: str = ""
    """What this host could not do, where that made the status."""
    header: bytes = b""
    """The parameters before the list, as the call read them; empty where it was refused before."""
    elements: tuple[bytes, ...] = ()
    """The reps that this stretch tried, done or not."""
    output: bytes = b""
    """What it gave back: of a rep call, the output elements of the reps that were done."""


class VtlSwitched(Event, frozen=True, gc=False, kw_only=True, tag="vtl"):
    """A vCPU goes on in another VTL, by a VTL call, a VTL return, an intercept or an interrupt."""

    vcpu: int
    from_vtl: int
    to_vtl: int
    reason: str
    """`call`, `return`, `intercept` or `interrupt`."""


class InterruptTaken(Event, frozen=True, gc=False, kw_only=True, tag="interrupt"):
    """A vCPU has entered the handler of an interrupt that waited for VTL `vtl`."""

    vcpu: int
    vtl: int
    vector: int


class InterceptDelivered(Event, frozen=True, gc=False, kw_only=True, tag="intercept"):
    """VTL `vtl` is told of an access that its mask denied: it has the message on SINT0, and is entered."""

    vcpu: int
    vtl: int
    """The receiver's."""
    from_vtl: int
    gpa: int
    gva: int | None
    access: str
    rip: int
    queued: bool
    """The slot still holds an earlier message, which is now flagged; this one comes at EOM."""
    message: bytes
    """All 256 bytes (TLFS, HV_MESSAGE)."""


class PhaseChanged(Event, frozen=True, gc=False, kw_only=True, tag="phase"):
    """`phase`: paused, running, stepping, ended; `why` says what ended or paused it, e.g. `limit:exits`."""

    phase: str
    why: str = ""


AnyEvent = (
    CommandTaken
    | ExitTaken
    | MaskChanged
    | SlotChanged
    | DirtyHarvested
    | VcpuChanged
    | HypercallServed
    | VtlSwitched
    | InterruptTaken
    | InterceptDelivered
    | PhaseChanged
)

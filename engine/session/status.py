"""What a frame says in JSON: docs/frame.md. Times are in the clock that Info names; rates are per host second."""

import msgspec


class BitField(msgspec.Struct, frozen=True):
    """Bits `first` to `first` + `width` - 1 of a field."""

    name: str
    first: int
    width: int


class MessageField(msgspec.Struct, frozen=True):
    """A field of an intercept message: `size` bytes from byte `at`, little-endian."""

    at: int
    size: int
    name: str
    """Empty where only its bits have names."""
    bits: list[BitField]
    """What it is made of; empty for a plain number."""
    words: dict[str, str]
    """What values mean, by the value in decimal."""


class Info(msgspec.Struct, frozen=True):
    """What does not change while a run lasts; in keyframes."""

    name: str
    about: str
    scenario: str
    """Content id of the scenario."""
    hypervisor: str
    label: str
    real: bool
    why_not_kvm: str
    """Empty on real KVM; else why this session runs on the simulator."""
    clock: str
    ram: int
    system_pages: int
    masks: tuple[int, ...]
    """Rights values this host can enforce."""
    mask_reason: str
    """Why the other masks cannot be had here."""
    message: list[MessageField]
    """Layout of every intercept message."""


class VcpuStatus(msgspec.Struct, frozen=True):
    index: int
    vtl: int
    state: str
    """running, stopped, halted, fenced, dead, waiting."""
    rip: int
    """Of its last exit, or exact while paused."""
    exits: int
    rate: float
    switches: int = 0
    """VTL switches so far."""
    registers: dict[str, int] | None = None
    """Only while no vCPU is in the guest."""


class SlotStatus(msgspec.Struct, frozen=True):
    slot: int
    base: int
    size: int
    offset: int
    flags: int


class ChurnStatus(msgspec.Struct, frozen=True):
    slot: int
    rate: float
    done: int


class Status(msgspec.Struct, frozen=True):
    phase: str
    """paused, running, stepping, ended."""
    why: str
    on_protection: str
    speed: float | None
    vcpus: list[VcpuStatus]
    slots: list[SlotStatus]
    churn: ChurnStatus | None
    exits: dict[str, int]
    """Exits so far by kind."""
    exits_per_second: float
    dirty_per_second: float
    dirty_losses: int
    """Harvests so far for which the host had lost entries of a dirty ring: all logged pages counted as written."""
    instructions: int | None
    dropped: int
    """Exits so far that no frame carried a record of."""
    last_seq: int
    """seq of the last event in the log."""


class Line(msgspec.Struct, frozen=True):
    """One line of disassembly; `here` marks the instruction that exited."""

    address: int
    text: str
    here: bool = False


class CallRecord(msgspec.Struct, frozen=True):
    """A stretch of a hypercall: its input value, RCX, by field (TLFS, Hypercall Inputs), and what came of it."""

    name: str
    code: int
    fast: bool
    """Parameters are RDX and R8 themselves; otherwise those are the gpas of the input and the output."""
    start: int
    """Rep that this stretch begins at, of `count`."""
    count: int
    reps: int
    """Completed so far, with this stretch."""
    rdx: int
    r8: int
    status: str
    """HV_STATUS_ name, without the prefix."""
    finished: bool
    """False: the guest makes the call again, from the next rep on."""
    why: str
    """What this host could not do, where that made the status."""
    fields: list[tuple[str, str]]
    """The header's, name and value in words."""
    elements: list[str]
    """The reps that this stretch tried, from `start` on, in words; the first 64 of them."""
    output: list[tuple[str, str]]
    """Of a simple call."""


class SwitchRecord(msgspec.Struct, frozen=True):
    """The vCPU went on in another VTL."""

    from_vtl: int
    to_vtl: int
    reason: str
    """As in VtlSwitched."""


class MessageRecord(msgspec.Struct, frozen=True):
    """The intercept message that VTL `vtl` got for a denied access."""

    vtl: int
    waits: bool
    """The slot was full: it comes at EOM, after those that wait already."""
    data: str
    """All 256 bytes, in hex; Info.message names them."""


class ExitRecord(msgspec.Struct, frozen=True):
    """One exit as the screen shows it."""

    seq: int
    time: int
    vcpu: int
    vtl: int
    kind: str
    rip: int
    text: str
    """The instruction, disassembled."""
    listing: list[Line]
    """It and its neighbours, as far as known."""
    raw: str
    answer: str
    """complete, retry, drop, inject, or empty when the exit ended the vCPU."""
    gpa: int | None = None
    gva: int | None = None
    """The guest-virtual address that led to `gpa`."""
    access: str | None = None
    size: int | None = None
    data: str | None = None
    """Hex of the bytes stored or sent."""
    mask: int | None = None
    """Rights the page had, on a protection exit."""
    port: int | None = None
    index: int | None = None
    """Of the MSR, on an msr or synic exit."""
    register: str | None = None
    """Its name, where it is a synthetic one that VSM has: as in HvRegister names, `HYPERCALL`."""
    given: str | None = None
    """Hex of the bytes that the VMM gave to a load, IN or RDMSR."""
    setter: int | None = None
    """Who set that mask (docs/frame.md), where the log tells it."""
    call: CallRecord | None = None
    """On a hypercall exit that was served."""
    switch: SwitchRecord | None = None
    """When the exit led into another VTL."""
    message: MessageRecord | None = None
    """When a VTL was told of it."""

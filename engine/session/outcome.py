"""What came of a run, for scripts: one object, from the log and the final memory."""

import hashlib
import threading
import time

import msgspec

from engine.machine.machine import Machine
from engine.model.bitmap import unpack_bitmap
from engine.model.commands import Harvest, Run
from engine.model.events import (
    AnyEvent,
    DirtyHarvested,
    ExitTaken,
    HypercallServed,
    InterceptDelivered,
    PhaseChanged,
    VtlSwitched,
)
from engine.model.exits import ProtectionExit
from engine.model.layout import SYSTEM_AREA, SYSTEM_SIZE
from engine.model.page_set import PageSet
from engine.model.scenario import Scenario
from engine.session.host import Host
from engine.session.records import instruction_text
from engine.session.session import Session

SYSTEM_PAGES = PageSet.of_range(SYSTEM_AREA)


class Denied(msgspec.Struct, frozen=True):
    """One protection exit."""

    vcpu: int
    vtl: int
    gpa: str
    gva: str | None
    """The guest-virtual address that led to it; None where the instruction's operands do not tell."""
    access: str
    rip: str
    text: str
    """The instruction, in Intel syntax."""


class Called(msgspec.Struct, frozen=True):
    """One hypercall that came to its end, however often it was continued."""

    vcpu: int
    vtl: int
    code: str
    """The call's name in TLFS, or its code in hex."""
    status: str
    reps: int


class Intercepted(msgspec.Struct, frozen=True):
    """One memory intercept, told to the VTL that denied the access."""

    vcpu: int
    vtl: int
    """The receiver's."""
    from_vtl: int
    gpa: str
    gva: str | None
    access: str
    rip: str
    message: str
    """The 256 bytes of the message, in hex."""


class Outcome(msgspec.Struct, frozen=True):
    """`dirty`: runs of pages as gpa+count outside the system area, written by anybody during the run."""

    hypervisor: str
    stopped: str
    exits: dict[str, int]
    protection: list[Denied]
    hypercalls: list[Called]
    intercepts: list[Intercepted]
    vtl_switches: int
    """VTL calls and returns, and entries for intercepts and interrupts."""
    dirty: list[str]
    dirty_system: list[str]
    dirty_lost: bool
    """The host lost entries of a dirty ring, so that all logged pages count as written."""
    memory_sha256: str
    """Of RAM outside the system area, by backing offset."""
    instructions: int | None
    seconds: float


class Witness:
    """Watches a log for what the outcome needs."""

    def __init__(self) -> None:
        self.protection: list[Denied] = []
        self.hypercalls: list[Called] = []
        self.intercepts: list[Intercepted] = []
        self.vtl_switches = 0
        self.dirty = PageSet()
        self.lost = False
        self.ended = threading.Event()

    def __call__(self, event: AnyEvent) -> None:
        match event:
            case ExitTaken(exit=ProtectionExit() as exit):
                self.protection.append(_denied(exit))
            case HypercallServed(finished=True):
                self.hypercalls.append(Called(event.vcpu, event.vtl, event.call, event.status, event.reps))
            case InterceptDelivered():
                self.intercepts.append(_intercepted(event))
            case VtlSwitched():
                self.vtl_switches += 1
            case DirtyHarvested():
                self.dirty |= PageSet.of_bitmap(unpack_bitmap(event.bitmap, event.packed))
                self.lost = self.lost or event.lost
            case PhaseChanged(phase="ended"):
                self.ended.set()
            case _:
                pass


def _denied(exit: ProtectionExit) -> Denied:
    return Denied(
        vcpu=exit.vcpu,
        vtl=exit.vtl,
        gpa=hex(exit.gpa),
        gva=None if exit.gva is None else hex(exit.gva),
        access=str(exit.access),
        rip=hex(exit.rip),
        text=exit.text or instruction_text(exit.code, exit.rip),
    )


def _intercepted(event: InterceptDelivered) -> Intercepted:
    return Intercepted(
        vcpu=event.vcpu,
        vtl=event.vtl,
        from_vtl=event.from_vtl,
        gpa=hex(event.gpa),
        gva=None if event.gva is None else hex(event.gva),
        access=event.access,
        rip=hex(event.rip),
        message=event.message.hex(),
    )


def run_to_end(scenario: Scenario, host: Host) -> Outcome:
    """Run until a limit or the guest's end. The scenario should have a limit that this host can reach."""
    witness = Witness()
    session = Session(scenario, host, sink=witness)
    try:
        started = time.monotonic()
        session.handle(Run())
        witness.ended.wait()
        seconds = time.monotonic() - started
        session.settle()
        session.handle(Harvest())
        return _outcome(session, witness, seconds)
    finally:
        session.close()


def _outcome(session: Session, witness: Witness, seconds: float) -> Outcome:
    view = session.view
    return Outcome(
        hypervisor=session.capabilities.name,
        stopped=view.why,
        exits=dict(view.exits),
        protection=witness.protection,
        hypercalls=witness.hypercalls,
        intercepts=witness.intercepts,
        vtl_switches=witness.vtl_switches,
        dirty=(witness.dirty - SYSTEM_PAGES).text(),
        dirty_system=(witness.dirty & SYSTEM_PAGES).text(),
        dirty_lost=witness.lost,
        memory_sha256=memory_sha256(session.machine),
        instructions=session.machine.instructions,
        seconds=round(seconds, 6),
    )


def memory_sha256(machine: Machine) -> str:
    """Hex digest of RAM outside the system area; no vCPU may be in the guest."""
    return hashlib.sha256(machine.vm.ram()[SYSTEM_SIZE:]).hexdigest()

"""The fold: the only place where events become a view. Screens, checks and results read the view, never the machine."""

from collections import Counter, deque
from enum import IntEnum
from typing import TypeVar

from engine.hypervisor.rights_table import RightsTable
from engine.model.address import PAGE_SHIFT, PageRange
from engine.model.bitmap import unpack_bitmap
from engine.model.commands import Churn, SetPolicy, SetSpeed
from engine.model.events import (
    AnyEvent,
    CommandTaken,
    DirtyHarvested,
    ExitTaken,
    HypercallServed,
    InterceptDelivered,
    InterruptTaken,
    MaskChanged,
    PhaseChanged,
    SlotChanged,
    VcpuChanged,
    VtlSwitched,
)
from engine.model.exits import ProtectionExit, exit_kind
from engine.model.memslot import Memslot
from engine.model.page_set import PageSet
from engine.model.rights import Rights
from engine.model.scenario import OnProtection, Scenario

Following = TypeVar("Following", bound=HypercallServed | VtlSwitched | InterceptDelivered)
RECENT_EXITS = 48
SETTER_SHIFT = 4
MOST_SETTER = 15
"""What fits the rights table."""
RECENT_FAULTS = 4096


class Setter(IntEnum):
    """Who set a mask: a VTL, which its event names, or the cause that stands before it in the log."""

    SCENARIO = 0
    COMMAND = 1
    SCRIPT = 2
    VTL1 = 3
    """By a hypercall. The numbers behind it are of VTL2 and so on, up to MOST_SETTER; no lower one can."""


class VcpuView:
    """One vCPU as the log tells it."""

    def __init__(self, vtl: int) -> None:
        self.vtl, self.state, self.why, self.rip, self.exits, self.switches = vtl, "stopped", "", 0, 0, 0


class View:
    """What a log says is so, after its last event. `fresh_*` is what came since the last take_fresh."""

    def __init__(self, scenario: Scenario) -> None:
        pages = scenario.ram >> PAGE_SHIFT
        self.phase, self.why = "paused", ""
        self.on_protection: OnProtection = scenario.on_protection
        self.speed: float | None = None
        self.churn: Churn | None = None
        self.churned = 0
        self.vcpus = [VcpuView(spec.vtl) for spec in scenario.vcpus]
        self.slots: dict[int, Memslot] = {}
        self.masks = RightsTable(pages)
        """Rights of VTL0, and from bit SETTER_SHIFT on who took the others; RWX alone where none is taken."""
        self._setter: int = Setter.SCENARIO
        self.exits: Counter[str] = Counter()
        self.dirty_pages = 0
        self.dirty_losses = 0
        self.last_seq = 0
        self.unshown = 0
        self.fresh_exits: deque[ExitTaken] = deque(maxlen=RECENT_EXITS)
        self.fresh_outcomes: dict[int, HypercallServed | VtlSwitched] = {}
        """By seq of the fresh exit that led to it."""
        self.fresh_setters: dict[int, int] = {}
        """By seq of the fresh exit that the mask denied."""
        self.fresh_messages: dict[int, InterceptDelivered] = {}
        """By seq of the fresh exit that a VTL was told of."""
        self.fresh_faults: dict[int, None] = {}
        self.fresh_dirty: list[DirtyHarvested] = []
        self.masks_changed = True

    def apply(self, event: AnyEvent) -> None:
        """Events must come in seq order."""
        self.last_seq = event.seq
        match event:
            case ExitTaken():
                self._exit(event)
            case DirtyHarvested():
                self.dirty_pages += event.count
                self.dirty_losses += event.lost
                self.fresh_dirty.append(event)
            case CommandTaken():
                self._command(event)
            case MaskChanged():
                self._mask(event)
            case SlotChanged():
                self._slot(event)
            case VcpuChanged():
                self.vcpus[event.vcpu].state, self.vcpus[event.vcpu].why = event.state, event.why
            case VtlSwitched() | HypercallServed() | InterceptDelivered():
                self._vsm(event)
            case InterruptTaken():
                pass
            case PhaseChanged():
                self.phase, self.why = event.phase, event.why

    def _exit(self, event: ExitTaken) -> None:
        exit = event.exit
        self.exits[exit_kind(exit)] += 1
        vcpu = self.vcpus[exit.vcpu]
        vcpu.exits, vcpu.rip, vcpu.vtl = vcpu.exits + 1, exit.rip, exit.vtl
        if len(self.fresh_exits) == RECENT_EXITS:
            self.unshown += 1
            for kept in (self.fresh_outcomes, self.fresh_setters, self.fresh_messages):
                kept.pop(self.fresh_exits[0].seq, None)
        self.fresh_exits.append(event)
        if isinstance(exit, ProtectionExit):
            self._denied(event.seq, exit)

    def _denied(self, seq: int, exit: ProtectionExit) -> None:
        gfn = exit.gpa >> PAGE_SHIFT
        if len(self.fresh_faults) < RECENT_FAULTS:
            self.fresh_faults[gfn] = None
        if exit.vtl == 0 and (key := self.masks.get(gfn)) != Rights.RWX:
            self.fresh_setters[seq] = key >> SETTER_SHIFT

    def _vsm(self, event: VtlSwitched | HypercallServed | InterceptDelivered) -> None:
        match event:
            case VtlSwitched():
                vcpu = self.vcpus[event.vcpu]
                vcpu.vtl, vcpu.switches = event.to_vtl, vcpu.switches + 1
                self._follows(event, self.fresh_outcomes)
            case HypercallServed():
                self._follows(event, self.fresh_outcomes)
            case InterceptDelivered():
                self._follows(event, self.fresh_messages)

    def _follows(self, event: Following, kept: dict[int, Following]) -> None:
        """It follows its exit in the log, with no other exit between."""
        if self.fresh_exits and self.fresh_exits[-1].exit.vcpu == event.vcpu:
            kept[self.fresh_exits[-1].seq] = event

    def _command(self, event: CommandTaken) -> None:
        self._setter = Setter.SCRIPT if event.by == "script" else Setter.COMMAND
        if event.error:
            return
        match event.command:
            case SetPolicy(on_protection=policy):
                self.on_protection = policy
            case SetSpeed(exits_per_second=speed):
                self.speed = speed
            case Churn(rate=rate):
                self.churn = event.command if rate else None
                self.churned = 0
            case _:
                self.churned += event.by == "churn"

    def _mask(self, event: MaskChanged) -> None:
        if event.vtl == 0:
            setter = min(Setter.VTL1 + event.setter - 1, MOST_SETTER) if event.setter else self._setter
            key = event.rights if event.rights == Rights.RWX else event.rights | setter << SETTER_SHIFT
            self.masks.set(PageRange(event.first, event.pages), key)
            self.masks_changed = True

    def _slot(self, event: SlotChanged) -> None:
        if event.before is not None:
            del self.slots[event.before.slot]
        if event.after is not None:
            self.slots[event.after.slot] = event.after

    def take_dirty(self) -> PageSet:
        """Pages dirtied since the last call."""
        found = PageSet()
        for event in self.fresh_dirty:
            found |= PageSet.of_bitmap(unpack_bitmap(event.bitmap, event.packed))
        self.fresh_dirty = []
        return found

"""A virtual processor of the simulator (contract Vcpu): slices of execution, and exits answered one by one."""

import errno
from typing import Any

import msgspec

from engine.hypervisor.contract.errors import HypervisorError, Unsupported
from engine.hypervisor.sim import exits
from engine.hypervisor.sim.code_pages import CodePages
from engine.hypervisor.sim.cpu.core import Core
from engine.hypervisor.sim.exits import Verdict
from engine.hypervisor.sim.fill import SCRATCH, Denied, Fill
from engine.hypervisor.sim.memory import SimMemory
from engine.hypervisor.sim.ram import Ram
from engine.hypervisor.sim.ring import Ring
from engine.hypervisor.sim.scratch import PAGES, Piece, Scratch
from engine.hypervisor.sim.space import Space
from engine.hypervisor.sim.stop import Event, Stop
from engine.hypervisor.sim.text import GuestText
from engine.hypervisor.sim.trial import Cause, Trial
from engine.model.address import PAGE_SHIFT, PAGE_SIZE
from engine.model.dirty import RingHarvest
from engine.model.exits import AnyExit, HltExit, Interrupted
from engine.model.registers import Registers
from engine.model.resolution import Complete, Drop, Resolution, Retry
from engine.model.rights import Access

SLICE = 10_000
"""Instructions between two looks at a kick: about a millisecond."""


class SimVcpu:
    """`index` of its vm; starts at RIP 0 in VTL 0 with page tables at `cr3`. A VTL has registers of its own."""

    def __init__(self, index: int, cr3: int, space: Space, ram: Ram, code: CodePages, memory: SimMemory) -> None:
        self.index = index
        self._space, self._ram, self._code, self._memory = space, ram, code, memory
        self._scratch = Scratch(space, ram)
        self._fill = Fill(space, ram, code, self._scratch, index)
        self.rings = self._fill.rings = [Ring(space.ring_size) for _ in range(space.vtls) if space.ring_size]
        self._core = self._make_core(cr3)
        self._text = GuestText(self._fill.tables, self._core.cr3, space, ram)
        self._trial = Trial(self._core, self._fill, self._scratch, space, memory)
        self._contexts: list[Any] = [self._core.context() for _ in range(space.vtls)]
        self._generation = -1
        self._kicked = self._closed = False
        self._asked: Cause | Denied | None = None
        self._queued: AnyExit | None = None
        self._dead: AnyExit | None = None

    @property
    def vtl(self) -> int:
        return self._fill.vtl

    @property
    def instructions(self) -> int:
        """Executed so far; one that is dropped whole (a denied fetch) is not executed."""
        return self._core.executed

    def run(self, budget: int | None = None) -> AnyExit:
        self._require_answered("run")
        end = None if budget is None else self._core.executed + budget
        while True:
            found = self._dead or self._queued
            if found is not None:
                self._queued = None
                return found
            if self.rings and self.rings[self.vtl].full:
                return exits.ring_full(self._where())
            left = SLICE if end is None else min(SLICE, end - self._core.executed)
            if self._kicked or left <= 0:
                raw = "kick" if self._kicked else "end of budget"
                self._kicked = False
                return Interrupted(vcpu=self.index, vtl=self.vtl, rip=self._core.rip(), raw=raw)
            self._slice(left)

    def resolve(self, exit: AnyExit, resolution: Resolution) -> None:
        if self._asked is None or self._queued is not None:
            return
        self._refresh()
        cause = self._asked
        if isinstance(cause, Denied) and not isinstance(resolution, Retry):
            self._resolve_fetch(exit, resolution)
            return
        self._asked = None
        if not isinstance(resolution, Retry) and not isinstance(cause, Denied):
            self._trial.answer(cause, resolution)
            self._advance()

    def settle(self) -> None:
        """Nothing is left to do: every answer takes effect at once."""

    def kick(self) -> None:
        self._kicked = True

    def registers(self) -> Registers:
        return self._core.registers()

    def set_registers(self, registers: Registers) -> None:
        """Forgets an exit that waits for its answer: the instruction is not executed."""
        self._asked = self._queued = None
        self._core.set_registers(registers)

    def enter_vtl(self, vtl: int) -> None:
        if not 0 <= vtl < self._space.vtls:
            raise HypervisorError(errno.EINVAL, "enter_vtl", "vtl", vtl, "no such VTL")
        self._require_answered("enter_vtl")
        self._core.save(self._contexts[self.vtl])
        self._core.restore(self._contexts[vtl])
        self._fill.vtl = vtl
        self._generation = -1

    def harvest_dirty_ring(self) -> RingHarvest:
        if not self.rings:
            raise HypervisorError(errno.EINVAL, "harvest_dirty_ring", rule="no dirty ring is on")
        return RingHarvest(tuple(page for ring in self.rings for page in ring.harvest()))

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._core.close()

    def _make_core(self, cr3: int) -> Core:
        ram = (0, self._ram.size, self._ram.address)
        core = Core(ram, (SCRATCH, PAGES * PAGE_SIZE, self._scratch.address), self._fill)
        core.enter_long_mode(cr3)
        self._fill.cr3 = core.cr3
        return core

    def _require_answered(self, call: str) -> None:
        if self._closed:
            raise HypervisorError(errno.EBADF, call, "vcpu", self.index, "the vm is closed")
        if self._asked is not None and (self._queued is None or call != "run"):
            raise HypervisorError(errno.EBUSY, call, "vcpu", self.index, "its last exit is not answered")

    def _slice(self, count: int) -> None:
        """Execute up to `count` instructions; what ends it early is asked, queued, or deadly."""
        self._refresh()
        before = self._core.registers() if count == 1 else None
        stop = self._core.start(count)
        if count == 1 and stop.reason == "budget" and self._core.registers() == before:
            self._step_apart()
        ahead = stop.reason == "fault" and stop.executed == count and self._fill.refused() is Access.EXECUTE
        if not ahead:  # else the budget ended before the fetch that was refused
            self._ended(stop)

    def _refresh(self) -> None:
        """Forget translations, of addresses and of code, that have become wrong since."""
        stale, flush = self._code.take(self.index)
        for page in stale:
            self._core.forget_code(page << PAGE_SHIFT, PAGE_SIZE)
        if flush or self._generation != self._space.generation:
            self._generation = self._space.generation
            self._core.flush()
        self._fill.denied = None

    def _ended(self, stop: Stop) -> None:
        denied = self._fill.denied
        if stop.reason == "io" and stop.event is not None:
            self._core.set_registers(stop.event.before)
            self._trial.begin()
            self._ask(stop.event)
        elif stop.reason == "hlt":
            self._queued = HltExit(vcpu=self.index, vtl=self.vtl, rip=self._core.rip(), raw="HLT")
        elif stop.reason == "exception":
            self._exception(stop.error)
        elif stop.reason == "fault" and denied is not None and not denied.ring_full:
            self._denied(denied)  # else run looks at the ring before it goes on

    def _denied(self, denied: Denied) -> None:
        if denied.access is Access.EXECUTE and not self._text.reaches(self._core.rip(), denied.gva):
            self._step_before(denied)
        elif denied.gpa is None:
            self._exception(f"page fault at {denied.gva:#x}")
        elif denied.access is Access.EXECUTE:
            self._ask_fetch(denied, denied.gpa)
        else:
            self._trial.begin()
            self._advance()

    def _step_apart(self) -> None:
        """A single step that changed nothing: perhaps a store into its own block, which the engine begins anew and
        then stops before. On scratch it goes through; for a jump to itself it makes no difference."""
        self._trial.begin()
        if self._trial.cause() is None:
            self._trial.commit()
            self._core.executed -= 1

    def _step_before(self, denied: Denied) -> None:
        """Translation ran ahead into a page that this instruction does not reach: execute it alone."""
        self._fill.lookahead, self._fill.denied = True, None
        self._core.flush()
        try:
            stop = self._core.start(1)
        finally:
            self._fill.lookahead = False
        self._core.flush()
        self._ended(stop)

    def _advance(self) -> None:
        """Ask what is still to be asked of the instruction on trial, else let it have happened."""
        cause = self._trial.cause()
        if cause is not None:
            self._ask(cause)
            return
        stop = self._trial.commit()
        if stop.reason == "fault" and self._fill.denied is not None and self._fill.denied.gpa is not None:
            self._dead = exits.internal_error("more pages in one instruction than can be tried", {}, self._where())
        elif stop.reason == "fault":
            self._exception("page fault")
        elif stop.reason != "io":
            self._ended(stop)

    def _ask(self, cause: Cause) -> None:
        if isinstance(cause, Event):
            exit: AnyExit = exits.io_exit(cause, self._where())
        else:
            exit = exits.memory_exit(self._space, cause, self._trial.verdict(cause), self._where())
        self._asked, self._queued = cause, exit

    def _ask_fetch(self, denied: Denied, gpa: int) -> None:
        rip = self._core.rip()
        if rip >> PAGE_SHIFT == denied.gva >> PAGE_SHIFT:
            gpa += rip % PAGE_SIZE
        found = exits.verdict(self._space, self.vtl, gpa, Access.EXECUTE)
        if found is Verdict.VOID:
            self._dead = exits.internal_error(f"fetch from the void at {gpa:#x}", {"gpa": gpa}, self._where())
            return
        exit = exits.memory_exit(self._space, Piece(gpa, Access.EXECUTE, 0), found, self._where())
        self._asked, self._queued = denied, exit

    def _resolve_fetch(self, exit: AnyExit, resolution: Complete | Drop) -> None:
        registers = self._core.registers()
        found = self._text.instruction(registers.rip)
        if found is None:
            raise Unsupported("resolve", f"no whole instruction at {registers.rip:#x}, so neither do nor skip it")
        self._asked = None
        if isinstance(resolution, Drop):
            self._core.set_registers(msgspec.structs.replace(registers, rip=registers.rip + found.length))
        else:
            self._trial.begin()
            self._advance()

    def _exception(self, error: str) -> None:
        self._dead = exits.exception(error, self._core.has_idt(), self._where())

    def _where(self) -> dict[str, Any]:
        rip = self._core.rip()
        return {"vcpu": self.index, "vtl": self.vtl, "rip": rip, "code": self._text.code(rip)}

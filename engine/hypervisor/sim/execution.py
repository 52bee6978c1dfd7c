"""From a stop of the engine to an exit of the vCPU, and from its answer back: one instruction at a time."""

import msgspec

from engine.hypervisor.contract.errors import Unsupported
from engine.hypervisor.contract.vectors import require_exception
from engine.hypervisor.sim import exits, msr_answer
from engine.hypervisor.sim.deliver import Event
from engine.hypervisor.sim.delivery import Delivery
from engine.hypervisor.sim.exits import Verdict
from engine.hypervisor.sim.interrupt_window import InterruptWindow
from engine.hypervisor.sim.plain import DeniedMove, Plain
from engine.hypervisor.sim.ports import refusal
from engine.hypervisor.sim.processor import Processor
from engine.hypervisor.sim.scratch import Piece
from engine.hypervisor.sim.stop import Anew, Denied, Guarded, Jump, MsrAccess, PortAccess, Stop
from engine.hypervisor.sim.trial import Cause, TrialState
from engine.model.address import PAGE_SHIFT, PAGE_SIZE
from engine.model.exits import AnyExit, HltExit
from engine.model.resolution import Complete, Drop, Inject, Resolution, Retry
from engine.model.rights import Access


class ExecutionState(msgspec.Struct, frozen=True):
    """Between two runs; `trial` when an instruction waits for an answer, `waiting` exceptions by VTL."""

    asked: Cause | Denied | DeniedMove | MsrAccess | None
    queued: AnyExit | None
    dead: AnyExit | None
    trial: TrialState | None
    waiting: dict[int, Event]


class Execution:
    """`asked` waits for its answer, `queued` to be told; nothing comes after `dead`."""

    def __init__(self, processor: Processor) -> None:
        self._cpu, self._core, self._fill, self._trial = processor, processor.core, processor.fill, processor.trial
        self._delivery, self._plain = Delivery(processor), Plain(processor)
        self.asked: Cause | Denied | DeniedMove | MsrAccess | None = None
        self.queued: AnyExit | None = None
        self._dead: AnyExit | None = None
        self._window = InterruptWindow(processor)

    def take(self) -> AnyExit | None:
        """The exit to tell now."""
        found = self._dead or self.queued
        self.queued = None
        return found

    def slice(self, count: int) -> AnyExit | None:
        """Execute up to `count` instructions; the exit to tell, if one ends it."""
        self._cpu.refresh()
        self._window.before(count)
        if self._delivery.waits:
            self._dead = self._delivery.take()
        else:
            stop = self._step() if count == 1 else self._core.start(count)
            denied = stop.denied
            if denied is None or denied.access is not Access.EXECUTE or stop.executed != count:
                self._ended(stop)  # else the budget ended before the fetch that was refused
        return self.take()

    def resolve(self, resolution: Resolution) -> None:
        cause = self.asked
        if cause is None or self.queued is not None:
            return
        if isinstance(resolution, Inject):
            self.inject(resolution, "resolve")
            self.asked = None
        elif isinstance(resolution, Retry):
            self.asked = None
        elif isinstance(cause, Denied):
            self._resolve_fetch(resolution)
        else:
            self.asked = None
            self._resolve(cause, resolution)

    def inject(self, event: Inject, call: str) -> None:
        require_exception(event, call)
        self._delivery.put(Event(event.vector, event.error_code, event.address))

    def interrupt(self, vector: int) -> bool:
        """Whether the guest takes it before its next instruction."""
        ready = self.interruptible
        if ready:
            self._delivery.put(Event(vector, external=True))
        return ready

    @property
    def interruptible(self) -> bool:
        """An external interrupt may come before the next instruction."""
        return not self._delivery.waits and self._window.open

    def state(self) -> ExecutionState:
        """For a snapshot."""
        tried = self.asked is not None and not isinstance(self.asked, Denied | DeniedMove | MsrAccess)
        trial = self._trial.state() if tried else None
        return ExecutionState(self.asked, self.queued, self._dead, trial, self._delivery.state())

    def restore(self, state: ExecutionState) -> None:
        self.asked, self.queued, self._dead = state.asked, state.queued, state.dead
        self._delivery.restore(state.waiting)
        if state.trial is not None:
            self._trial.restore(state.trial)

    def _resolve(self, cause: Cause | DeniedMove | MsrAccess, resolution: Complete | Drop) -> None:
        if isinstance(cause, DeniedMove):
            if not self._plain.answer(cause, resolution):
                self._cpu.refresh()
                self._try()
        elif isinstance(cause, MsrAccess):
            msr_answer.finish(self._core, cause, resolution)
        elif not isinstance(cause, PortAccess) or not self._plain.pass_out(cause):
            self._cpu.refresh()
            self._trial.answer(cause, resolution)
            self._advance()

    def _ended(self, stop: Stop) -> None:
        if stop.denied is not None:
            if not stop.denied.ring_full:  # else run looks at the ring before it goes on
                self._denied(stop.denied)
        elif stop.reason == "io" and stop.event is not None:
            self._core.set_registers(stop.event.before)
            self._port(stop.event)
        elif stop.reason == "hlt":
            self.queued = HltExit(vcpu=self._cpu.index, vtl=self._cpu.vtl, rip=self._core.rip(), raw="HLT")
        elif stop.guarded is not None:
            self._guarded(stop.guarded)
        elif stop.raised is not None:
            self._delivery.raised(stop.raised)
        elif stop.reason == "error":
            self._dead = exits.internal_error(stop.error, {}, self._cpu.where())

    def _denied(self, denied: Denied) -> None:
        if denied.access is Access.EXECUTE and not self._cpu.text.reaches(self._core.rip(), denied.gva):
            self._step_before(denied)
        elif denied.gpa is None and self._cpu.is_own(denied):
            self._step_own(denied)
        elif denied.gpa is None:
            self._delivery.refused(denied)
        elif denied.access is Access.EXECUTE:
            self._ask_fetch(denied, denied.gpa)
        else:
            found = self._plain.ask(denied)
            if found is None:
                self._try()
            else:
                self.asked, self.queued = found

    def _port(self, access: PortAccess) -> None:
        ring = self._core.ring
        refused = refusal(access, ring, self._core.system().tss, self._cpu.linear.read) if ring else None
        if refused is not None:
            self._delivery.put(refused)
        else:
            self._trial.begin()
            self._ask(access)

    def _guarded(self, found: Guarded) -> None:
        match found:
            case Event():
                self._delivery.put(found)
            case Jump():
                self._core.go(found.registers, found.cs, found.ss)
                self._core.executed += 1
            case Anew():
                pass
            case _:
                self.asked, self.queued = found, exits.msr_exit(found, self._cpu.where())

    def _step(self) -> Stop:
        """One that changed nothing is perhaps a store into its own block, which the engine begins anew and then stops
        before. On scratch it goes through; for a jump to itself it makes no difference."""
        before = self._core.registers()
        stop = self._core.start(1)
        if stop.reason == "budget" and self._core.registers() == before:
            self._trial.begin()
            if self._trial.cause() is None:
                self._trial.commit()
                self._core.executed -= 1
        return stop

    def _step_before(self, denied: Denied) -> None:
        """Translation ran ahead into a page that this instruction does not reach: execute it alone."""
        self._fill.lookahead = True
        self._core.flush()
        try:
            stop = self._step()
        finally:
            self._fill.lookahead = False
        self._core.flush()
        self._ended(stop)

    def _step_own(self, denied: Denied) -> None:
        """The processor's own access in ring 3, to a descriptor table or the TSS, has the rights of ring 0."""
        own, page = self._fill.own, denied.gva >> PAGE_SHIFT
        if page in own:
            self._delivery.refused(denied)
            return
        own.add(page)
        try:
            self._ended(self._step())
        finally:
            own.discard(page)
        self._core.flush()

    def _try(self) -> None:
        self._trial.begin()
        self._advance()

    def _advance(self) -> None:
        """Ask what is still to be asked of the instruction on trial, else let it have happened."""
        cause = self._trial.cause()
        if cause is not None:
            self._ask(cause)
            return
        stop = self._trial.commit()
        if stop.denied is not None and stop.denied.gpa is not None:
            where = self._cpu.where()
            self._dead = exits.internal_error("more pages in one instruction than can be tried", {}, where)
        elif stop.denied is not None:
            self._delivery.refused(stop.denied)
        elif stop.reason != "io":
            self._ended(stop)

    def _ask(self, cause: Cause) -> None:
        where = self._cpu.where()
        if isinstance(cause, PortAccess):
            exit: AnyExit = exits.io_exit(cause, where)
        else:
            exit = exits.memory_exit(self._cpu.space, cause, self._trial.verdict(cause), where)
        self.asked, self.queued = cause, exit

    def _ask_fetch(self, denied: Denied, gpa: int) -> None:
        space, where = self._cpu.space, self._cpu.where()
        rip = self._core.rip()
        gva = max(rip, denied.gva & ~(PAGE_SIZE - 1))
        gpa = gpa & ~(PAGE_SIZE - 1) | gva % PAGE_SIZE
        found = exits.verdict(space, self._cpu.vtl, gpa, Access.EXECUTE, by_ux=self._fill.executes_by_ux)
        if found is Verdict.VOID:
            self._dead = exits.internal_error(f"fetch from the void at {gpa:#x}", {"gpa": gpa}, where)
            return
        self.asked = denied
        self.queued = exits.memory_exit(space, Piece(gpa, Access.EXECUTE, 0, gva=gva), found, where)

    def _resolve_fetch(self, resolution: Complete | Drop) -> None:
        registers = self._core.registers()
        found = self._cpu.text.instruction(registers.rip)
        if found is None:
            raise Unsupported("resolve", f"no whole instruction at {registers.rip:#x}, so neither do nor skip it")
        self.asked = None
        if isinstance(resolution, Drop):
            self._core.set_registers(msgspec.structs.replace(registers, rip=registers.rip + found.length))
        else:
            self._cpu.refresh()
            self._try()

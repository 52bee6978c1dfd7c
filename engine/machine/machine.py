"""The machine: a vm, its vCPUs, the gate, the policy and the script. Every exit is taken here, one at a time."""

import errno
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from engine.hypervisor.contract.errors import HypervisorError, Unsupported
from engine.hypervisor.contract.protocols import Vcpu, Vm
from engine.machine.answers import Answer, answer
from engine.machine.control import apply
from engine.machine.gate import Gate
from engine.machine.harvest import harvest
from engine.machine.hypercalls import PORTS, Answered, answer_call
from engine.machine.intercepts import answer_violation
from engine.machine.kernel_calls import answer_kernel_call
from engine.machine.operations import Effect, carry_out, dirty, set_mask
from engine.machine.script import Script
from engine.machine.vsm_delivery import deliver
from engine.machine.vsm_msrs import MSRS, answer_msr
from engine.machine.vsm_state import Vsm
from engine.model.address import PAGE_SHIFT, PageRange
from engine.model.commands import AnyCommand
from engine.model.events import CommandTaken, Event, ExitTaken, PhaseChanged, VcpuChanged
from engine.model.exits import AnyExit, HltExit, HypercallExit, IoExit, MsrExit, ProtectionExit, RingFullExit
from engine.model.resolution import Complete
from engine.model.rights import Rights
from engine.model.scenario import OnProtection, Scenario

Record = Callable[[type[Event], dict[str, Any]], None]


class Machine:
    """State of one run. Everything but Vcpu.run happens under `lock`."""

    def __init__(self, vm: Vm, vcpus: list[Vcpu], scenario: Scenario, record: Record) -> None:
        self.vm, self.vcpus, self.scenario = vm, vcpus, scenario
        self.lock = threading.RLock()
        self.gate = Gate(scenario.limits)
        self.policy: OnProtection = scenario.on_protection
        self.position = 0
        waiting = [index for index, spec in enumerate(scenario.vcpus) if spec.waits is True]
        self.vsm = Vsm(vm, vcpus, scenario.vsm_profile, scenario.vtls - 1, waiting)
        self.states = ["waiting" if self.vsm.waits(vcpu.index) else "stopped" for vcpu in vcpus]
        self.on_ready: Callable[[], None] = lambda: None
        """Called when a vCPU that waited may run."""
        self._record = record
        self._script = Script(scenario.script)
        self._protection = 0

    def record(self, effects: list[Effect]) -> None:
        for kind, fields in effects:
            self._record(kind, fields)

    def started(self) -> list[Effect]:
        """How the vCPUs begin."""
        return [
            (VcpuChanged, {"vcpu": index, "state": state, "why": self.vsm.waits(index)})
            for index, state in enumerate(self.states)
        ]

    def is_over(self, vcpu: int) -> bool:
        """The vCPU will never run again."""
        return self.states[vcpu] in ("halted", "fenced", "dead")

    def may_run(self, vcpu: int) -> bool:
        return self.gate.is_open and self.states[vcpu] == "running"

    @property
    def instructions(self) -> int | None:
        """Executed so far by all vCPUs; None where they are not counted."""
        if not self.vm.capabilities.counts_instructions:
            return None
        return sum(vcpu.instructions or 0 for vcpu in self.vcpus)

    def ready(self, vcpu: Vcpu) -> bool:
        """Before each run: give the vCPU what waits for it. False: that has ended it, or it has to wait still."""
        if vcpu.index not in self.vsm.due:
            return True
        with self.lock:
            try:
                self.record(deliver(self.vm, self.vsm, vcpu, self.scenario.ram))
            except (Unsupported, HypervisorError) as error:
                # EBUSY: an access is to be made again first, and what waits comes after that.
                if getattr(error, "errno", None) != errno.EBUSY:
                    self.set_state(vcpu.index, "dead", str(error))
            if self.vsm.partition.vps[vcpu.index].waits_for:
                # It was let through to enter a higher VTL, and has not: CR8 of that one keeps it out.
                self.vsm.due.discard(vcpu.index)
                self._follow_waits()
            self.end_if_all_over()
            return not self.is_over(vcpu.index) and self.states[vcpu.index] != "waiting"

    def take(self, vcpu: Vcpu, exit: AnyExit) -> None:
        """Answer an exit that the gate let through, log it, and do what is due after it."""
        self.gate.count(time.monotonic())
        try:
            self._answer(vcpu, exit)
        except (Unsupported, HypervisorError) as error:
            self.set_state(vcpu.index, "dead", str(error))
        self.run_script()
        after = self.gate.after_exit()
        if after is not None and self.gate.is_open:
            self.set_phase(*after)
        self.end_if_all_over()

    def _answer(self, vcpu: Vcpu, exit: AnyExit) -> None:
        if isinstance(exit, IoExit) and exit.port in PORTS and exit.data is not None:
            self._call(vcpu, exit)
            return
        if isinstance(exit, HypercallExit):
            self._carry(vcpu, answer_kernel_call(self.vm, self.vsm, vcpu, exit))
            return
        if isinstance(exit, MsrExit) and exit.index in MSRS:
            self._carry(vcpu, answer_msr(self.vm, self.vsm, vcpu, exit, self.scenario.ram))
            return
        if isinstance(exit, RingFullExit):
            self.record(dirty(harvest(self.vm), self.scenario.ram))
        mask: int | None = None
        if isinstance(exit, ProtectionExit):
            self._protection += 1
            mask = int(self.vm.mask(exit.vtl, exit.gpa >> PAGE_SHIFT))
            if self.policy == "intercept":
                self._carry(vcpu, answer_violation(self.vm, self.vsm, vcpu, exit, self.scenario.ram))
                return
        if isinstance(exit, HltExit) and self._wakes(vcpu, exit):
            return
        found = answer(exit, self.policy)
        self.record([(ExitTaken, {"exit": exit, "resolution": found.resolution, "mask": mask})])
        self._apply(vcpu, exit, found, mask)

    def _wakes(self, vcpu: Vcpu, exit: HltExit) -> bool:
        """HLT ends at an interrupt, and one waits."""
        found = deliver(self.vm, self.vsm, vcpu, self.scenario.ram) if vcpu.index in self.vsm.due else []
        if found:
            self.record([(ExitTaken, {"exit": exit, "resolution": Complete()}), *found])
        return bool(found)

    def _call(self, vcpu: Vcpu, exit: IoExit) -> None:
        answered = answer_call(self.vm, self.vsm, vcpu, exit, self.scenario.ram)
        if answered.denied is not None and self.policy == "intercept":
            self._protection += 1
            answered = answer_violation(self.vm, self.vsm, vcpu, answered.denied, self.scenario.ram)
        self._carry(vcpu, answered)

    def _carry(self, vcpu: Vcpu, answered: Answered) -> None:
        self.record(answered.logged)
        if answered.stop:
            self.set_state(vcpu.index, "fenced", answered.stop)
        self._follow_waits()

    def _apply(self, vcpu: Vcpu, exit: AnyExit, found: Answer, mask: int | None) -> None:
        # Where the mask leaves all, something else denied it, and there is none to lift: it exits again.
        if isinstance(exit, ProtectionExit) and found.relax_to is not None and mask != found.relax_to:
            page = PageRange(exit.gpa >> PAGE_SHIFT, 1)
            self.set_mask(exit.vtl, page, found.relax_to)
        if found.resolution is not None:
            vcpu.resolve(exit, found.resolution)
        if found.state != "running":
            self.set_state(vcpu.index, found.state, found.why)

    def run_script(self) -> None:
        """Carry out the entries that are due by what has been counted."""
        for command in self._script.due(self.gate.exits, self._protection, self.instructions):
            apply(self, command, by="script")

    def due_at(self, seconds: float) -> list[AnyCommand]:
        """Script entries due after so many seconds of running."""
        return self._script.due_at(seconds)

    def change(self, command: AnyCommand, by: str) -> str:
        """Carry out a command that concerns the vm, and log it; the error text, or empty."""
        try:
            effects, error = carry_out(self.vm, command, self.scenario.ram), ""
        except (Unsupported, HypervisorError) as refused:
            effects, error = [], str(refused)
        self.log_command(command, by, error)
        self.vsm.masks.overrule(effects)
        self.record(effects)
        return error

    def set_mask(self, vtl: int, pages: PageRange, rights: Rights) -> None:
        """By the VMM itself."""
        effects = [set_mask(self.vm, vtl, pages, rights)]
        self.vsm.masks.overrule(effects)
        self.record(effects)

    def log_command(self, command: AnyCommand, by: str, error: str = "") -> None:
        fields = {"command": command, "position": self.position, "by": by, "error": error}
        self.record([(CommandTaken, fields)])

    def set_phase(self, phase: str, why: str = "") -> None:
        """Open or close the gate; closing brings the vCPUs out of the guest."""
        self.gate.phase, self.gate.why = phase, why
        self.record([(PhaseChanged, {"phase": phase, "why": why})])
        self._follow_waits()
        if not self.gate.is_open:
            # Last: a vCPU that comes out while this thread still works would have to wait for the interpreter.
            for vcpu in self.vcpus:
                vcpu.kick()

    def _follow_waits(self) -> None:
        """Every vCPU that is not over is running, stopped with the gate, or waits for another one."""
        state = "running" if self.gate.is_open else "stopped"
        ready = False
        for vcpu in (one.index for one in self.vcpus if not self.is_over(one.index)):
            why = self.vsm.waits(vcpu)
            if self.states[vcpu] == "waiting" and not why:
                self.vsm.due.add(vcpu)
                ready = True
            self.set_state(vcpu, "waiting" if why else state, why)
        if ready:
            self.on_ready()

    def set_state(self, vcpu: int, state: str, why: str = "") -> None:
        if self.states[vcpu] != state:
            self.states[vcpu] = state
            self.record([(VcpuChanged, {"vcpu": vcpu, "state": state, "why": why})])

    def end_if_all_over(self) -> None:
        """Those that wait have nobody left who could let them go on."""
        still = (self.is_over(index) or self.states[index] == "waiting" for index in range(len(self.states)))
        if self.gate.phase != "ended" and all(still):
            self.set_phase("ended", "dead" if "dead" in self.states else "hlt")

    def fail(self, vcpu: int, error: BaseException) -> None:
        """A vCPU's loop met what it cannot answer: say so, and let the others go on."""
        traceback.print_exception(error, file=sys.stderr)
        self.set_state(vcpu, "dead", f"{type(error).__name__}: {error}")
        self.end_if_all_over()

"""A session: one machine and its runner, log, view and clock. Commands go in, frames come out; no socket here."""

import threading
from pathlib import Path

from engine.hypervisor.contract.capabilities import Capabilities
from engine.machine.build import build, run_on
from engine.machine.control import apply
from engine.machine.machine import Machine
from engine.machine.program import load
from engine.machine.runner import Runner
from engine.model.commands import AnyCommand, Harvest, Reset, SetSpeed
from engine.model.events import LOG_VERSION, LogHeader
from engine.model.registers import Registers
from engine.model.scenario import Scenario
from engine.model.text import canonical
from engine.session.clock import Clock
from engine.session.fold import View
from engine.session.host import Host, clock_of
from engine.session.log_file import LogFile
from engine.session.recorder import Recorder, Sink
from engine.session.records import Listing
from engine.session.sampler import Sampler, info
from engine.x86 import keystone_process

RUNS_KEPT = 2
"""Logs of one session on disk, each bounded by engine.session.log_file: a reset begins a new one."""
PATIENCE = 0.05
"""Seconds that a frame waits for vCPUs that are on their way out of the guest, so as to show their registers."""


class Session:
    """Stands ready, paused, once made. Unsupported, HypervisorError when the host cannot build the machine."""

    def __init__(self, scenario: Scenario, host: Host, log: Path | None = None, sink: Sink | None = None) -> None:
        self.scenario, self.host = scenario, host
        self._log_path, self._sink = log, sink
        self._lock = threading.Lock()
        self._runs = 0
        listings: list[Listing] = [
            tuple((line.address, line.text) for line in lines) for lines in load(scenario).listings
        ]
        self._sampler = Sampler(info(scenario, host.hypervisor.capabilities, host.why_not_kvm), listings)
        self._begin()

    @property
    def capabilities(self) -> Capabilities:
        return self.host.hypervisor.capabilities

    @property
    def view(self) -> View:
        return self._view

    @property
    def machine(self) -> Machine:
        return self._machine

    def handle(self, command: AnyCommand, by: str = "user") -> str:
        """Carry out a command; the error text, or empty. When a Pause returns, no vCPU is in the guest."""
        if isinstance(command, Reset):
            return self._reset()
        error = self._runner.perform(lambda: apply(self._machine, command, by))
        if not error and not isinstance(command, Harvest):
            self._runner.wake()
            if not self._machine.gate.is_open:
                self._runner.stop()
        return error

    def frame(self, keyframe: bool = False) -> bytes:
        """What is fresh since the last frame."""
        with self._lock:
            return self._runner.perform(lambda: self._frame(keyframe))

    def harvest(self) -> None:
        """Collect dirty pages, if any vCPU may have written some."""
        with self._lock:
            if self._machine.gate.is_open:
                self.handle(Harvest(), by="tick")

    def look(self, gpa: int, size: int) -> bytes:
        """Guest memory as it is now, whatever a mask says; HypervisorError where no slot is. A vCPU in the guest may be
        in the middle of a store."""
        return self._runner.perform(lambda: self._machine.vm.memory().read(gpa, size))

    def settle(self) -> None:
        """Return once no vCPU is in the guest; the run must not be running."""
        self._runner.stop()

    def flush(self) -> None:
        if self._log is not None:
            self._log.flush()

    def close(self) -> None:
        self._clock.close()
        self._runner.perform(lambda: self._machine.gate.is_open and self._machine.set_phase("ended", "closed"))
        self._runner.close()
        self._machine.vm.close()
        if self._log is not None:
            self._log.close()

    def _begin(self) -> None:
        self._view = View(self.scenario)
        self._log = self._open_log()
        self._clock = self._new_clock()
        recorder = Recorder(lambda: 0, *self._sinks())
        try:
            self._machine = build(self.host.hypervisor, self.scenario, recorder)
        except BaseException:
            self._clock.close()
            raise
        finally:
            keystone_process.close()  # nothing is assembled while the machine runs
        recorder.clock = self._now = clock_of(self._machine)
        self._runner: Runner = run_on(self._machine)

    def _sinks(self) -> list[Sink]:
        sinks: list[Sink | None] = [self._view.apply, self._clock.observe, self._log, self._sink]
        return [sink for sink in sinks if sink is not None]

    def _open_log(self) -> LogFile | None:
        if self._log_path is None:
            return None
        self._runs += 1
        for old in self._log_path.parent.glob(f"{self._log_path.name}-{self._runs - RUNS_KEPT}.*"):
            old.unlink()
        host = self.capabilities
        header = LogHeader(LOG_VERSION, canonical(self.scenario), host.name, host.clock)
        return LogFile(self._log_path.with_name(f"{self._log_path.name}-{self._runs}"), header)

    def _new_clock(self) -> Clock:
        """It gives nothing before the run runs, when the machine is there."""
        return Clock(
            self._by_clock,
            lambda: self._machine.vm.slots,
            lambda seconds: self._machine.due_at(seconds),
            self.scenario.limits.seconds,
        )

    def _by_clock(self, command: AnyCommand, by: str) -> str:
        try:
            return self.handle(command, by)
        except TimeoutError as late:
            return str(late)  # the command is carried out; the clock has others to give

    def _reset(self) -> str:
        with self._lock:
            speed = self._view.speed
            self.close()
            self._begin()
        if speed is not None:
            self.handle(SetSpeed(speed))
        return ""

    def _frame(self, keyframe: bool) -> bytes:
        machine = self._machine
        return self._sampler.frame(self._view, self._now(), keyframe, self._registers(machine), machine.instructions)

    def _registers(self, machine: Machine) -> list[Registers] | None:
        """None while a vCPU is in the guest: KVM would keep whoever asks waiting until it comes out, if ever."""
        if machine.gate.is_open or not self._runner.still(PATIENCE) or machine.gate.is_open:
            return None
        return [vcpu.registers() for vcpu in machine.vcpus]

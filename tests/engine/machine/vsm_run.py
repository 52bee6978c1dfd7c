"""A guest's whole run: its events, and memory at the end."""

import threading
from collections.abc import Callable
from typing import Any

from engine.machine.build import build, run_on
from engine.machine.control import apply
from engine.machine.machine import Machine
from engine.model.commands import Run
from engine.model.events import Event, ExitTaken, HypercallServed, PhaseChanged, VcpuChanged
from engine.model.exits import Interrupted, ProtectionExit
from engine.session.host import Host
from tests.engine.machine.vsm_guest import PAGE, STATUSES

MOST_EXITS = 2000
"""Of a guest that goes round between its VTLs without end."""


class Ran:
    """A guest's whole run: its events, and memory at the end."""

    seconds = 20.0
    """After so many a guest that goes round without an exit is left."""

    def __init__(self, host: Host, scenario: Callable[..., Any], asm: str, **fields: object) -> None:
        self.events: list[Any] = []
        asked = {"vcpus": [{"asm": asm}], "on_protection": "drop"} | fields
        machine = build(host.hypervisor, scenario(**asked), self.record)
        try:
            self.run(machine)
            self.memory = machine.vm.memory().read(STATUSES, 0x40000)
            self.statuses = self.words(STATUSES, 8)
            self.page = self.words(PAGE, 1)[0]
        finally:
            machine.vm.close()

    def run(self, machine: Machine) -> None:
        """The first vCPU alone."""
        vcpu = machine.vcpus[0]
        clock = threading.Timer(self.seconds, vcpu.kick)
        clock.start()
        for _ in range(MOST_EXITS):
            if machine.is_over(0) or not clock.is_alive():
                break
            exit = vcpu.run() if machine.ready(vcpu) else None
            if exit and not isinstance(exit, Interrupted):
                machine.take(vcpu, exit)
        clock.cancel()
        clock.join()

    def record(self, kind: type[Event], fields: dict[str, Any]) -> None:
        self.events.append(kind(seq=len(self.events) + 1, time=0, **fields))

    def words(self, gpa: int, count: int) -> list[int]:
        data = self.memory[gpa - STATUSES :]
        return [int.from_bytes(data[at : at + 8], "little") for at in range(0, 8 * count, 8)]

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def exits(self) -> list[ExitTaken]:
        return self.of(ExitTaken)

    @property
    def served(self) -> list[tuple[str, str, int]]:
        return [(event.call, event.status, event.reps) for event in self.of(HypercallServed) if event.finished]

    @property
    def denied(self) -> list[tuple[int, int]]:
        """(VTL, gpa) of each protection exit."""
        exits = [event.exit for event in self.exits]
        return [(exit.vtl, exit.gpa) for exit in exits if isinstance(exit, ProtectionExit)]

    @property
    def denied_at(self) -> int:
        """RIP of the last access that was denied."""
        exits = [event.exit for event in self.of(ExitTaken)]
        return [exit.rip for exit in exits if isinstance(exit, ProtectionExit)][-1]

    @property
    def end(self) -> str:
        return self.of(VcpuChanged)[-1].state

    def states(self, vcpu: int) -> list[str]:
        return [event.state for event in self.of(VcpuChanged) if event.vcpu == vcpu]


class RanTogether(Ran):
    """All vCPUs, as the hypervisor has them run."""

    def run(self, machine: Machine) -> None:
        self.ended = threading.Event()
        runner = run_on(machine)
        try:
            runner.perform(lambda: apply(machine, Run(), "user"))
            runner.wake()
            assert self.ended.wait(60), machine.states
        finally:
            runner.close()

    def record(self, kind: type[Event], fields: dict[str, Any]) -> None:
        super().record(kind, fields)
        if kind is PhaseChanged and fields["phase"] == "ended":
            self.ended.set()

"""A guest's whole run: its events, and memory at the end."""

from collections.abc import Callable
from typing import Any

from engine.machine.build import build
from engine.model.events import Event, ExitTaken, HypercallServed, VcpuChanged
from engine.model.exits import Interrupted, ProtectionExit
from engine.session.host import Host
from tests.engine.machine.vsm_guest import PAGE, STATUSES


class Ran:
    """A guest's whole run: its events, and memory at the end."""

    def __init__(self, host: Host, scenario: Callable[..., Any], asm: str, **fields: object) -> None:
        self.events: list[Any] = []
        asked = {"vcpus": [{"asm": asm}], "on_protection": "drop"} | fields
        machine = build(host.hypervisor, scenario(**asked), self.record)
        try:
            vcpu = machine.vcpus[0]
            while not machine.is_over(0):
                exit = vcpu.run() if machine.ready(vcpu) else None
                if exit and not isinstance(exit, Interrupted):
                    machine.take(vcpu, exit)
            self.memory = machine.vm.memory().read(STATUSES, 0x20000)
            self.statuses = self.words(STATUSES, 8)
            self.page = self.words(PAGE, 1)[0]
        finally:
            machine.vm.close()

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

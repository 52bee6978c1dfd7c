"""Running a log again: the same scenario, seed and outside commands at the same places give the same events."""

from collections.abc import Callable, Iterable
from functools import partial

from engine.hypervisor.contract.errors import Unsupported
from engine.hypervisor.contract.protocols import Hypervisor
from engine.machine.build import build
from engine.machine.control import apply
from engine.machine.machine import Machine
from engine.machine.slices import Finished, run_slices
from engine.model.events import AnyEvent, CommandTaken, LogHeader
from engine.model.text import from_canonical
from engine.session.host import clock_of
from engine.session.recorder import Recorder

FROM_OUTSIDE = ("user", "churn", "tick", "clock")


class LoggedCalls:
    """The outside commands of a log, each at its place."""

    def __init__(self, machine: Machine, commands: list[CommandTaken]) -> None:
        self._machine, self._left = machine, commands[::-1]

    def next(self, position: int, patience: float | None) -> Callable[[], None] | None:
        if self._left and self._left[-1].position == position:
            taken = self._left.pop()
            return partial(self._give, taken)
        if not self._left or patience is None:
            raise Finished
        # The pace of a run is host time and changes nothing in it.
        self._machine.gate.set_speed(None)
        return None

    def _give(self, taken: CommandTaken) -> None:
        apply(self._machine, taken.command, taken.by)


def replay(hypervisor: Hypervisor, header: LogHeader, events: Iterable[AnyEvent]) -> list[AnyEvent]:
    """The events of the second run, up to the last outside command. Unsupported where runs do not repeat."""
    if hypervisor.capabilities.concurrent:
        raise Unsupported("replay", f"{hypervisor.capabilities.label} runs vCPUs concurrently: no two runs are alike")
    again: list[AnyEvent] = []
    recorder = Recorder(lambda: 0, again.append)
    machine = build(hypervisor, from_canonical(header.scenario), recorder)
    recorder.clock = clock_of(machine)
    outside = [event for event in events if isinstance(event, CommandTaken) and event.by in FROM_OUTSIDE]
    try:
        run_slices(machine, LoggedCalls(machine, outside))
    except Finished:
        return again
    finally:
        machine.vm.close()

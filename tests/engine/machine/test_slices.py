"""The slices in which the simulator's vCPUs run."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.machine.build import build
from engine.machine.control import apply
from engine.machine.machine import Machine
from engine.machine.slices import LONGEST_SLICE, LONGEST_WAIT, Finished, run_slices
from engine.model.commands import Run
from engine.session.host import Host
from tests.engine.machine.vsm_guest import call

TURNS = 40


class Watching:
    """No calls; notes how many instructions there were at each place."""

    def __init__(self, machine: Machine) -> None:
        self._machine, self.counts = machine, [0]

    def next(self, position: int, patience: float | None) -> Callable[[], None] | None:
        self.counts.append(self._machine.instructions or 0)
        if position > TURNS:
            raise Finished
        return None

    @property
    def longest(self) -> int:
        return max(after - before for before, after in zip(self.counts, self.counts[1:], strict=False))


@pytest.mark.parametrize(("before", "most"), [("", LONGEST_SLICE), (call(0x1_000B, 0x40, 1), LONGEST_WAIT)])
def test_a_vcpu_for_which_an_interrupt_waits_is_soon_looked_at_again(
    sim: Host, scenario: Any, before: str, most: int
) -> None:
    """It is executed one instruction at a time until it lets the interrupt in, which this one never does."""
    asm = f"mov r15, 0x200000\n{before}\nagain: inc rbx\njmp again"
    machine = build(sim.hypervisor, scenario(vcpus=[{"asm": asm}]), lambda kind, fields: None)
    try:
        apply(machine, Run(), "user")
        watching = Watching(machine)
        with pytest.raises(Finished):
            run_slices(machine, watching)
        assert most // 4 < watching.longest <= most
    finally:
        machine.vm.close()

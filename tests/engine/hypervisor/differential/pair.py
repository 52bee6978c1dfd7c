"""The same guest twice, on the simulator and on real KVM: whatever is done to one is done to the other."""

from collections.abc import Callable
from typing import TypeVar

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.contract.protocols import Hypervisor, Vm
from engine.hypervisor.sim.partition import SimHypervisor
from engine.model.dirty import DirtyPage
from tests.engine.hypervisor.differential import rows
from tests.engine.hypervisor.differential.program import Program, run
from tests.engine.hypervisor.guest import Guest

T = TypeVar("T")
SYSTEM = 0x20000
"""The system area's end: page tables, code and stacks lie below."""


class Pair:
    """Each method asserts that both have answered alike, but for what docs/differences.md lists."""

    def __init__(self, real: Hypervisor, prepare: Callable[[Vm], None]) -> None:
        self.real = Guest(real, prepare=prepare)
        self.sim = Guest(SimHypervisor(), prepare=prepare)
        self.capabilities = self.real.vm.capabilities
        self.dead = False
        self._told = set[DirtyPage]()

    def close(self) -> None:
        for guest in (self.sim, self.real):
            guest.vm.close()

    def same(self, act: Callable[[Guest], T]) -> T | int:
        simulated, real = _outcome(act, self.sim), _outcome(act, self.real)
        assert simulated == real
        return simulated

    def log(self, slot: int) -> None:
        """Row 5: a page that was loaded from may be in KVM's log."""
        simulated, real = (_outcome(lambda one: one.vm.get_dirty_log(slot), guest) for guest in (self.sim, self.real))
        if isinstance(simulated, int) or isinstance(real, int) or not self.capabilities.logs_loads:
            assert simulated == real
        else:
            assert len(simulated) == len(real)
            assert int.from_bytes(simulated, "little") & ~int.from_bytes(real, "little") == 0

    def harvest(self) -> None:
        """Rings and the VMM's writes together: which of them has a store that was completed is each one's own.

        Row 6: where the kernel emulates, a page that was told is told again before the rings are reset.
        """
        simulated, real = (guest.vcpu.harvest_dirty_ring() for guest in (self.sim, self.real))
        mine = {*simulated.pages, *self.sim.vm.harvest_vmm_writes()}
        its = {*real.pages, *self.real.vm.harvest_vmm_writes()}
        assert not simulated.lost
        if not real.lost:
            self._told |= mine
            assert mine <= its
            assert its <= (self._told if self.capabilities.ring_reason else mine)

    def reset(self) -> None:
        for guest in (self.sim, self.real):
            guest.vm.reset_dirty_rings()
        self._told.clear()

    def run(self, program: Program) -> None:
        simulated, real = run(self.sim, program), run(self.real, program)
        if rows.row_37(self.sim, self.real):
            self.dead = True
            return
        self.dead = real.dead
        rows.forgive(simulated, real, self.capabilities)
        assert simulated.facts == real.facts
        assert simulated.registers == real.registers
        # Two kicks are one when the first has not been told yet.
        assert simulated.dead or bool(simulated.interruptions) == bool(real.interruptions)
        self.same_memory()

    def same_memory(self) -> None:
        mine, its = self.sim.vm.ram(), self.real.vm.ram()
        if mine != its:
            pages = [n for n in range(len(mine) >> 12) if mine[n << 12 : (n + 1) << 12] != its[n << 12 : (n + 1) << 12]]
            differing = [at for at in range(pages[0] << 12, (pages[0] + 1) << 12) if mine[at] != its[at]]
            first = differing[0]
            raise AssertionError(
                f"RAM differs in pages {pages}, from offset {first:#x} on: "
                f"sim {bytes(mine[first : first + 8]).hex()}, kvm {bytes(its[first : first + 8]).hex()}"
            )


def _outcome(act: Callable[[Guest], T], guest: Guest) -> T | int:
    try:
        return act(guest)
    except HypervisorError as error:
        return error.errno or -1

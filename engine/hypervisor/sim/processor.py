"""One vCPU's parts, wired to each other: engine, software EPT, scratch pages, and the guest's code as text."""

from typing import Any

from engine.hypervisor.sim.code_pages import CodePages
from engine.hypervisor.sim.cpu.core import Core
from engine.hypervisor.sim.fill import SCRATCH, Fill
from engine.hypervisor.sim.memory import SimMemory
from engine.hypervisor.sim.ram import Ram
from engine.hypervisor.sim.ring import Ring
from engine.hypervisor.sim.scratch import PAGES, Scratch
from engine.hypervisor.sim.space import Space
from engine.hypervisor.sim.text import GuestText
from engine.hypervisor.sim.trial import Trial
from engine.model.address import PAGE_SHIFT, PAGE_SIZE


class Processor:
    """vCPU `index` of a vm, in VTL 0 at RIP 0 with page tables at `cr3`. A VTL has registers of its own."""

    def __init__(self, index: int, cr3: int, space: Space, ram: Ram, code: CodePages, memory: SimMemory) -> None:
        self.index, self.space = index, space
        self._code = code
        scratch = Scratch(space, ram)
        self.fill = Fill(space, ram, code, scratch, index)
        self.rings = self.fill.rings = [Ring(space.ring_size) for _ in range(space.vtls) if space.ring_size]
        self.core = Core((0, ram.size, ram.address), (SCRATCH, PAGES * PAGE_SIZE, scratch.address), self.fill)
        self.core.enter_long_mode(cr3)
        self.fill.cr3 = self.core.cr3
        self.text = GuestText(self.fill.tables, self.core.cr3, space, ram)
        self.trial = Trial(self.core, self.fill, scratch, space, memory)
        self._contexts: list[Any] = [self.core.context() for _ in range(space.vtls)]
        self._generation = -1

    @property
    def vtl(self) -> int:
        return self.fill.vtl

    def enter_vtl(self, vtl: int) -> None:
        self.core.save(self._contexts[self.vtl])
        self.core.restore(self._contexts[vtl])
        self.fill.vtl = vtl
        self._generation = -1

    def refresh(self) -> None:
        """Forget translations, of addresses and of code, that have become wrong since."""
        stale, flush = self._code.take(self.index)
        for page in stale:
            self.core.forget_code(page << PAGE_SHIFT, PAGE_SIZE)
        if flush or self._generation != self.space.generation:
            self._generation = self.space.generation
            self.core.flush()
        self.fill.denied = None

    def where(self) -> dict[str, Any]:
        """What every exit of the instruction at RIP has."""
        rip = self.core.rip()
        return {"vcpu": self.index, "vtl": self.vtl, "rip": rip, "code": self.text.code(rip)}

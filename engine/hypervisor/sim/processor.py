"""One vCPU's parts, wired to each other: engine, software EPT, scratch pages, and the guest's code as text."""

from collections.abc import Generator
from contextlib import contextmanager

import msgspec

from engine.hypervisor.contract.vectors import GENERAL_PROTECTION, STACK_FAULT
from engine.hypervisor.sim.code_pages import CodePages
from engine.hypervisor.sim.cpu.core import Core
from engine.hypervisor.sim.deliver import Event, canonical
from engine.hypervisor.sim.exits import Where
from engine.hypervisor.sim.fill import SCRATCH, Fill
from engine.hypervisor.sim.guard import Guard
from engine.hypervisor.sim.linear import Linear
from engine.hypervisor.sim.memory import SimMemory
from engine.hypervisor.sim.page_fault import page_fault
from engine.hypervisor.sim.ram import Ram
from engine.hypervisor.sim.ring import Ring, RingState
from engine.hypervisor.sim.scratch import PAGES, Scratch
from engine.hypervisor.sim.space import Space
from engine.hypervisor.sim.stop import Denied
from engine.hypervisor.sim.text import GuestText
from engine.hypervisor.sim.trial import Trial
from engine.model.address import PAGE_SHIFT, PAGE_SIZE
from engine.model.rights import Access
from engine.model.system_registers import SystemRegisters
from engine.x86.operands import Operand, memory_operands


class ProcessorState(msgspec.Struct, frozen=True):
    """Registers by VTL, as the engine keeps them, those of the current one included; rings by VTL."""

    vtl: int
    registers: tuple[bytes, ...]
    mbec: tuple[bool, ...]
    executed: int
    rings: tuple[RingState, ...]


class Processor:
    """vCPU `index` of a vm, in VTL 0 at RIP 0 with page tables at `cr3`. A VTL has registers of its own."""

    def __init__(self, index: int, cr3: int, space: Space, ram: Ram, code: CodePages, memory: SimMemory) -> None:
        self.index, self.space, self.memory = index, space, memory
        self._code = code
        scratch = Scratch(space, ram)
        self.fill = Fill(space, ram, code, scratch, index)
        self.rings = self.fill.rings = [Ring(space.ring_size) for _ in range(space.vtls) if space.ring_size]
        self.core = Core((0, ram.size, ram.address), (SCRATCH, PAGES * PAGE_SIZE, scratch.address), self.fill)
        self.core.enter_long_mode(cr3)
        self.fill.cr3, self.fill.mode = self.core.live.cr3, self.core.live.mode
        self.screen = self.fill.screen
        self.screen.core = self.core
        self.text = GuestText(self.fill.tables, self.core.live.cr3, space, ram)
        self.core.instructions.guard = Guard(self.core, space, self._code_at_rip)
        self.linear = Linear(self.fill, ram, code)
        self.trial = Trial(self.core, self.fill, scratch, space, memory)
        self._registers = [self.core.state() for _ in range(space.vtls)]
        self._generation = -1

    @property
    def vtl(self) -> int:
        return self.fill.vtl

    def enter_vtl(self, vtl: int) -> None:
        self.core.shared.take()
        self._registers[self.vtl] = self.core.state()
        self.core.set_state(self._registers[vtl])
        self.core.shared.put()
        self.fill.vtl = vtl
        self._generation = -1

    def system_registers(self, vtl: int) -> SystemRegisters:
        with self._shown(vtl):
            return self.core.system_registers.read()

    def set_system_registers(self, vtl: int, registers: SystemRegisters) -> None:
        with self._shown(vtl):
            self.core.system_registers.write(registers)
        self._generation = -1

    def set_mbec(self, vtl: int, on: bool) -> None:
        """From now on ring 3 of this VTL executes by UX, or as ring 0 by KX."""
        if self.fill.mbec[vtl] != on:
            self.fill.mbec[vtl], self._generation = on, -1

    def state(self) -> ProcessorState:
        """For a snapshot."""
        self._registers[self.vtl] = self.core.state()
        rings = tuple(ring.state() for ring in self.rings)
        return ProcessorState(self.vtl, tuple(self._registers), tuple(self.fill.mbec), self.core.executed, rings)

    def restore(self, state: ProcessorState) -> None:
        self._registers, self.fill.mbec = list(state.registers), list(state.mbec)
        self.core.set_state(self._registers[state.vtl])
        self.fill.vtl, self.core.executed, self._generation = state.vtl, state.executed, -1
        for ring, held in zip(self.rings, state.rings, strict=True):
            ring.restore(held)

    def refresh(self) -> None:
        """Forget translations, of addresses and of code, that have become wrong since."""
        stale = self._code.take(self.index)
        for page in stale or ():
            self.core.forget_code(page << PAGE_SHIFT, PAGE_SIZE)
            self.screen.forget(page)
        if stale is not None or self._generation != self.space.generation:
            self._generation = self.space.generation
            self.core.flush()

    def page_fault(self, denied: Denied) -> Event:
        """The exception that the guest gets for an access that its own tables refuse."""
        used, own = self._operands(), denied.gva >> PAGE_SHIFT in self.fill.own
        if not canonical(denied.gva):
            on_stack = any(one.stack and one.address >> PAGE_SHIFT == denied.gva >> PAGE_SHIFT for one in used)
            return Event(STACK_FAULT if on_stack else GENERAL_PROTECTION, 0)
        # A load of what is to be stored back asks for the right to write at once, as KVM's emulator does too.
        writes = denied.access is Access.READ and any(one.access == (Access.READ, Access.WRITE) for one in used)
        access = Access.WRITE if writes else denied.access
        return page_fault(self.fill.tables, self.core.live.cr3.value, denied.gva, access, self.fill.user and not own)

    def is_own(self, denied: Denied) -> bool:
        """An access in ring 3 that is none of its instruction's operands: to descriptor tables or the TSS."""
        if not self.fill.user or denied.access is Access.EXECUTE:
            return False
        return not any(_covers(one, denied.gva >> PAGE_SHIFT) for one in self._operands())

    def _operands(self) -> list[Operand]:
        registers = self.core.registers()
        return memory_operands(self.text.line(registers.rip).code, registers.rip, registers)

    @contextmanager
    def _shown(self, vtl: int) -> Generator[None]:
        """The engine's registers are those of this VTL meanwhile."""
        if vtl == self.vtl:
            yield
            return
        own = self.core.state()
        self.core.set_state(self._registers[vtl])
        yield
        self._registers[vtl] = self.core.state()
        self.core.set_state(own)

    def _code_at_rip(self) -> bytes:
        return self.text.line(self.core.rip()).code

    def where(self, rip: int | None = None) -> Where:
        """Of the instruction at RIP, or at `rip`."""
        if rip is None:
            rip = self.core.rip()
        line = self.text.line(rip)
        return {"vcpu": self.index, "vtl": self.fill.vtl, "rip": rip, "code": line.code, "text": line.text}


def _covers(operand: Operand, page: int) -> bool:
    """What has no fixed size may reach into the next page."""
    last = operand.address + (operand.size or PAGE_SIZE) - 1
    return operand.address >> PAGE_SHIFT <= page <= last >> PAGE_SHIFT

"""A virtual processor of the simulator (contract Vcpu): slices of execution, and exits answered one by one."""

import errno

import msgspec

from engine.hypervisor.contract.cpuid import require_table
from engine.hypervisor.contract.errors import HypervisorError, closed
from engine.hypervisor.contract.masks import require_vtl
from engine.hypervisor.contract.processor import require_cr2, require_registers, require_system, require_xmm
from engine.hypervisor.contract.vectors import require_external
from engine.hypervisor.sim import exits, msrs
from engine.hypervisor.sim.code_pages import CodePages
from engine.hypervisor.sim.execution import Execution, ExecutionState
from engine.hypervisor.sim.kick_all import SimKickAll
from engine.hypervisor.sim.memory import SimMemory
from engine.hypervisor.sim.processor import Processor, ProcessorState
from engine.hypervisor.sim.ram import Ram
from engine.hypervisor.sim.space import Space
from engine.hypervisor.sim.told import Told
from engine.model.cpuid import CpuidLeaf
from engine.model.dirty import RingHarvest
from engine.model.exits import AnyExit, Interrupted
from engine.model.registers import Registers
from engine.model.resolution import Inject, Resolution
from engine.model.system_registers import SystemRegisters

SLICE = 10_000
"""Instructions between two looks at a kick: about a millisecond."""


class VcpuState(msgspec.Struct, frozen=True):
    """A vCPU at a moment, between two runs."""

    processor: ProcessorState
    execution: ExecutionState
    leaves: tuple[CpuidLeaf, ...]
    ran: bool
    window: bool
    """It waits for a moment at which it may take an interrupt."""


class SimVcpu:
    """`index` of its vm; starts at RIP 0 in VTL 0 with page tables at `cr3`. A VTL has registers of its own."""

    def __init__(
        self,
        index: int,
        cr3: int,
        space: Space,
        ram: Ram,
        code: CodePages,
        memory: SimMemory,
        kick_all: SimKickAll,
    ) -> None:
        self.index = index
        self._all, self._door = kick_all, kick_all.door()
        self._space = space
        self._processor = Processor(index, cr3, space, ram, code, memory)
        self.rings = self._processor.rings
        self._core = self._processor.core
        self._execution = Execution(self._processor)
        self._told = Told()
        self._kicked = self._closed = self._ran = False
        self._window = False
        """To come out as soon as an interrupt may be taken; until then single steps."""

    @property
    def vtl(self) -> int:
        return self._processor.vtl

    @property
    def ring(self) -> int:
        return self._core.ring

    @property
    def instructions(self) -> int:
        """Executed so far; one that is dropped whole (a denied fetch) is not executed."""
        return self._core.executed

    def run(self, budget: int | None = None) -> AnyExit:
        with self._door:
            self._require_answered("run")
            self._ran = True
            exit = self._run(budget)
        self._told.count(exit)
        return exit

    def counters(self) -> dict[str, int]:
        """By KVM's names (sim/statistics.py)."""
        tried, flushes = self._processor.trial.begun, self._core.flushes
        return {**self._told.counts, "insn_emulation": tried, "tlb_flush": flushes}

    def resolve(self, exit: AnyExit, resolution: Resolution) -> None:
        self._require_open("resolve")
        self._execution.resolve(resolution)

    def settle(self) -> None:
        """Nothing is left to do: every answer takes effect at once."""
        self._require_open("settle")

    def kick(self) -> None:
        self._kicked = True

    def registers(self) -> Registers:
        self._require_open("registers")
        return self._core.registers()

    def set_registers(self, registers: Registers) -> None:
        require_registers(registers)
        self._require_answered("set_registers")
        self._core.set_registers(registers)

    def system_registers(self, vtl: int) -> SystemRegisters:
        require_vtl("system_registers", vtl, self._space.vtls)
        self._require_open("system_registers")
        return self._processor.system_registers(vtl)

    def set_system_registers(self, vtl: int, registers: SystemRegisters) -> None:
        require_vtl("set_system_registers", vtl, self._space.vtls)
        require_system(registers)
        _require_known(registers)
        if vtl == self.vtl:
            self._require_answered("set_system_registers")
        self._require_open("set_system_registers")
        self._processor.set_system_registers(vtl, registers)

    def xmm(self) -> bytes:
        self._require_open("xmm")
        return self._core.shared.xmm()

    def set_xmm(self, data: bytes) -> None:
        require_xmm(data)
        self._require_answered("set_xmm")
        self._core.shared.set_xmm(data)

    def cr2(self) -> int:
        self._require_open("cr2")
        return self._core.cr2()

    def set_cr2(self, address: int) -> None:
        require_cr2(address)
        self._require_answered("set_cr2")
        self._core.set_cr2(address)

    @property
    def cpuid(self) -> tuple[CpuidLeaf, ...]:
        self._require_open("cpuid")
        return self._core.instructions.leaves

    def set_cpuid(self, leaves: tuple[CpuidLeaf, ...]) -> None:
        require_table(leaves)
        if self._ran and leaves != self._core.instructions.leaves:
            raise HypervisorError(errno.EINVAL, "set_cpuid", "vcpu", self.index, "it has run already")
        self._core.instructions.leaves = leaves

    def inject(self, event: Inject) -> None:
        self._require_answered("inject")
        self._execution.inject(event, "inject")

    def interrupt(self, vector: int) -> bool:
        require_external(vector)
        self._require_answered("interrupt")
        taken = self._execution.interrupt(vector)
        self._window = not taken
        return taken

    def enter_vtl(self, vtl: int) -> None:
        require_vtl("enter_vtl", vtl, self._space.vtls)
        self._require_answered("enter_vtl")
        self._window = False
        self._processor.enter_vtl(vtl)

    def set_mbec(self, vtl: int, on: bool) -> None:
        self._processor.set_mbec(vtl, on)

    def harvest_dirty_ring(self) -> RingHarvest:
        if not self.rings:
            raise HypervisorError(errno.EINVAL, "harvest_dirty_ring", rule="no dirty ring is on")
        return RingHarvest(tuple(page for ring in self.rings for page in ring.harvest()))

    def state(self) -> VcpuState:
        """For a snapshot. A kick comes from outside and is no part of it."""
        processor, execution = self._processor.state(), self._execution.state()
        return VcpuState(processor, execution, self._core.instructions.leaves, self._ran, self._window)

    def restore(self, state: VcpuState) -> None:
        self._processor.restore(state.processor)
        self._execution.restore(state.execution)
        self._core.instructions.leaves, self._ran, self._window = state.leaves, state.ran, state.window

    def close(self) -> None:
        """Whoever is in the guest is kicked out first: under it the engine cannot be freed."""
        if not self._closed:
            self._closed = self._kicked = True
            with self._door:
                self._core.close()

    def _run(self, budget: int | None) -> AnyExit:
        end = None if budget is None else self._core.executed + budget
        found = self._execution.take()
        while found is None:
            if self.rings and self.rings[self.vtl].full:
                return exits.ring_full(self._processor.where())
            left = SLICE if end is None else min(SLICE, end - self._core.executed)
            opens = self._window and self._execution.interruptible
            if self._all.on or self._kicked or opens or left <= 0:
                return self._interrupted()
            found = self._execution.slice(1 if self._window else left)
        return found

    def _interrupted(self) -> Interrupted:
        if self._window and self._execution.interruptible:
            self._window = False
            return Interrupted(vcpu=self.index, vtl=self.vtl, rip=self._core.rip(), raw="interrupt window")
        raw = "all kicked" if self._all.on else "kick" if self._kicked else "end of budget"
        self._told.counts["signal_exits"] += self._kicked
        self._kicked = False
        return Interrupted(vcpu=self.index, vtl=self.vtl, rip=self._core.rip(), raw=raw)

    def _require_answered(self, call: str) -> None:
        if self._closed:
            raise closed(call)
        waits = self._execution.asked is not None
        if waits and (self._execution.queued is None or call != "run"):
            raise HypervisorError(errno.EBUSY, call, "vcpu", self.index, "its last exit is not answered")

    def _require_open(self, call: str) -> None:
        # The engine's memory is freed: to touch it would end the process, or change another engine.
        if self._closed:
            raise closed(call)


def _require_known(registers: SystemRegisters) -> None:
    for name, bits in (("cr4", msrs.CR4_BITS), ("efer", msrs.EFER_BITS)):
        value = getattr(registers, name)
        if value & ~bits:
            raise HypervisorError(errno.EINVAL, "set_system_registers", name, value, f"{bits:#x}")

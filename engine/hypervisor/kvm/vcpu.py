"""Vcpu of the contract on KVM: entering the guest, and every way out of it as a typed exit."""

import errno

from engine.hypervisor.contract.cpuid import require_table
from engine.hypervisor.contract.errors import HypervisorError, Unsupported, closed
from engine.hypervisor.contract.masks import require_vtl
from engine.hypervisor.contract.processor import require_cr2, require_registers, require_system, require_xmm
from engine.hypervisor.contract.vectors import require_exception, require_external
from engine.hypervisor.kvm import cpuid, events, exits, interrupts, shared_state, single_step, system_registers
from engine.hypervisor.kvm.cpuid_table import leaves
from engine.hypervisor.kvm.entry import Entry
from engine.hypervisor.kvm.fences import Fences
from engine.hypervisor.kvm.kick import here, interrupt
from engine.hypervisor.kvm.probe import STEP_REASON, Behaviour
from engine.hypervisor.kvm.run_page import RIP
from engine.hypervisor.kvm.seat import Seat
from engine.hypervisor.kvm.space import GuestSpace
from engine.hypervisor.kvm.vcpu_fd import VcpuFd
from engine.model.cpuid import CpuidLeaf
from engine.model.dirty import DirtyPage, RingHarvest
from engine.model.exits import AnyExit, Interrupted, ShutdownExit
from engine.model.registers import Registers
from engine.model.resolution import Inject, Resolution
from engine.model.system_registers import SystemRegisters


class KvmVcpu:
    """run, resolve, settle and the registers are for one thread at a time; kick is for any."""

    def __init__(self, space: GuestSpace, behaviour: Behaviour, index: int, cr3: int) -> None:
        self.index = index
        self._space, self._behaviour = space, behaviour
        self._seat = Seat(space, index, cr3)
        self._fences = Fences(space, self._seat, index)
        self._entry = Entry(space, self._seat, self._fences, index, behaviour.out_past, self._at_kick)
        self._kicked, self._thread = False, 0
        self._dead: ShutdownExit | None = None

    @property
    def vtl(self) -> int:
        return self._seat.vtl

    @property
    def ring(self) -> int:
        return self._seat.active.page.ring

    @property
    def instructions(self) -> int | None:
        """KVM does not count them."""
        return None

    def run(self, budget: int | None = None) -> AnyExit:
        if budget is not None:
            self._require_step(budget)
        if self._fences.pending is not None:
            raise HypervisorError(errno.EBUSY, "run", rule="the last exit has not been answered")
        if self._dead is not None:
            return self._dead
        self._thread = here.thread
        exit = None if budget is None else self._step()
        while exit is None:
            exit = self._interrupted(self.registers().rip) if self._kicked else self._entry.enter()
        if isinstance(exit, ShutdownExit):
            # Entered again, kernels go on with whatever the processor has been left with (measured on kvm_pvm).
            self._dead = exit
        return exit

    def resolve(self, exit: AnyExit, resolution: Resolution) -> None:
        self._fences.answer(resolution)

    def settle(self) -> None:
        self._require_open("settle")
        if self._fences.waiting is None:
            self._seat.settle()

    def kick(self) -> None:
        # The flag first, then the pages, then the signal: a run that misses one of them meets the next.
        self._kicked = True
        for fd in self._seat.all_fds():
            fd.page.immediate_exit = True
        if self._thread:
            interrupt(self._thread)

    def registers(self) -> Registers:
        self._require_open("registers")
        return self._fences.registers(self._seat.active.registers())

    def set_registers(self, registers: Registers) -> None:
        """EBUSY while an exit waits to be answered or an access to be made again."""
        require_registers(registers)
        self._require_settled("set_registers")
        self._seat.active.set_registers(registers)
        self._entry.start = registers.rip

    def system_registers(self, vtl: int) -> SystemRegisters:
        return system_registers.read(self._fd(vtl, "system_registers"))

    def set_system_registers(self, vtl: int, registers: SystemRegisters) -> None:
        fd = self._fd(vtl, "set_system_registers")
        require_system(registers)
        if vtl == self.vtl:
            self._require_settled("set_system_registers")
        system_registers.write(fd, registers)

    def xmm(self) -> bytes:
        self._require_open("xmm")
        return shared_state.xmm(self._seat.active)

    def set_xmm(self, data: bytes) -> None:
        require_xmm(data)
        self._require_settled("set_xmm")
        shared_state.set_xmm(self._seat.active, data)

    def cr2(self) -> int:
        self._require_open("cr2")
        return shared_state.cr2(self._seat.active)

    def set_cr2(self, address: int) -> None:
        require_cr2(address)
        self._require_settled("set_cr2")
        shared_state.set_cr2(self._seat.active, address)

    def inject(self, event: Inject) -> None:
        """As the contract says; also EBUSY while an access is to be made again, and Unsupported for #BP and #OF."""
        require_exception(event, "inject")
        events.require_deliverable(event)
        self._require_settled("inject")
        events.queue(self._seat.active, event)

    def interrupt(self, vector: int) -> bool:
        require_external(vector)
        self._require_settled("interrupt")
        return interrupts.take(self._seat.active, vector)

    @property
    def cpuid(self) -> tuple[CpuidLeaf, ...]:
        self._require_open("cpuid")
        return leaves(self._seat.fds[0].cpuid)

    def set_cpuid(self, leaves: tuple[CpuidLeaf, ...]) -> None:
        require_table(leaves)
        cpuid.set_table(self._seat.fds, leaves)
        for stepper in (self._seat.stepper, self._fences.tries):
            if stepper:
                stepper.cpuid = leaves

    def enter_vtl(self, vtl: int) -> None:
        """EBUSY while an exit waits to be answered or an access to be made again."""
        require_vtl("enter_vtl", vtl, len(self._space.vtls))
        self._fences.take_back()
        self._require_settled("enter_vtl")
        self._seat.enter_vtl(vtl)
        self._entry.start = self._seat.active.registers().rip

    def harvest_dirty_ring(self) -> RingHarvest:
        pages, lost = list[DirtyPage](), False
        with self._space.lock:
            rings = [fd.ring for fd in self._seat.all_fds() if fd.ring]
            if not rings:
                raise HypervisorError(errno.EINVAL, "harvest_dirty_ring", rule="no dirty ring is on")
            for ring in rings:
                found, ring_lost = ring.harvest()
                pages += found
                lost = lost or ring_lost
            if lost:
                self._space.rearm()
        return RingHarvest(tuple(pages), lost)

    def descriptors(self) -> list[int]:
        """Of the kernel vCPUs that stand for it."""
        return [fd.fd for fd in self._seat.all_fds()]

    def close(self) -> None:
        self._seat.close()
        self._fences.close()

    def _fd(self, vtl: int, call: str) -> VcpuFd:
        """What executes, or will, in the VTL."""
        require_vtl(call, vtl, len(self._space.vtls))
        self._require_open(call)
        return self._seat.active if vtl == self.vtl else self._seat.fds[vtl]

    def _step(self) -> AnyExit:
        """What was answered is finished first, then one more instruction executed."""
        self.settle()
        self._seat.require_step()
        steps, exit = self._seat.steps, None
        with single_step.armed(self._space, self._seat) as halted:
            while exit is None:
                exit = self._interrupted(self.registers().rip) if self._kicked else self._entry.enter()
                if exit is None and self._seat.steps != steps:
                    exit = exits.stepped(self.registers().rip, self.index, self._seat.vtl)
        if isinstance(exit, Interrupted) and exit.rip == halted:
            return exits.halted(self._seat.active.page, self.index, self._seat.vtl)
        return exit

    def _require_step(self, budget: int) -> None:
        if budget != 1:
            raise Unsupported(
                f"run with a budget of {budget}", "KVM counts no instructions: only one at a time, or all"
            )
        if not self._behaviour.steps:
            raise Unsupported("single step", STEP_REASON)

    def _at_kick(self) -> AnyExit | None:
        return self._interrupted(self._seat.active.page.u64[RIP]) if self._kicked else None

    def _interrupted(self, rip: int) -> AnyExit:
        for fd in self._seat.all_fds():
            fd.page.immediate_exit = False
        self._kicked = False
        return exits.interrupted(rip, self.index, self._seat.vtl)

    def _require_open(self, call: str) -> None:
        if not self._seat.fds:
            raise closed(call)

    def _require_settled(self, call: str) -> None:
        self.settle()
        if self._fences.waiting or self._seat.unread or self._seat.stepping:
            raise HypervisorError(errno.EBUSY, call, rule="an exit waits to be answered, or an access to be made again")

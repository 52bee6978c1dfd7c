"""Vcpu of the contract on KVM: entering the guest, and every way out of it as a typed exit."""

import errno
import threading

from engine.abi.kvm import ExitReason
from engine.hypervisor.contract.errors import HypervisorError, Unsupported
from engine.hypervisor.contract.vectors import require_exception
from engine.hypervisor.kvm import events, exits, msr, origin, violation
from engine.hypervisor.kvm.fences import Fences
from engine.hypervisor.kvm.io_port import IoReader
from engine.hypervisor.kvm.kick import interrupt
from engine.hypervisor.kvm.known_code import KnownCode
from engine.hypervisor.kvm.probe import Behaviour
from engine.hypervisor.kvm.run_page import RIP
from engine.hypervisor.kvm.seat import Seat
from engine.hypervisor.kvm.space import GuestSpace
from engine.hypervisor.kvm.violation import Failure
from engine.model.dirty import DirtyPage, RingHarvest
from engine.model.exits import AnyExit
from engine.model.registers import Registers
from engine.model.resolution import Inject, Resolution
from engine.model.rights import Access

_IO, _MMIO, _DEBUG = int(ExitReason.IO), int(ExitReason.MMIO), int(ExitReason.DEBUG)
_INTERNAL_ERROR, _MEMORY_FAULT = int(ExitReason.INTERNAL_ERROR), int(ExitReason.MEMORY_FAULT)
_RING_FULL = int(ExitReason.DIRTY_RING_FULL)
_MSR = (int(ExitReason.X86_RDMSR), int(ExitReason.X86_WRMSR))
_EHWPOISON = 133
MAX_RERUNS = 100
"""How often in a row an instruction is tried again because something changed while it failed."""


class KvmVcpu:
    """run, resolve, settle and the registers are for one thread at a time; kick is for any."""

    def __init__(self, space: GuestSpace, behaviour: Behaviour, index: int, cr3: int) -> None:
        self.index = index
        self._space, self._entry = space, 0
        self._seat = Seat(space, index, cr3)
        self._fences = Fences(space, self._seat, index)
        self._known = KnownCode(space)
        self._io = IoReader(space, self._known, behaviour.out_past, index)
        self._since = self._reruns = self._serial = 0
        self._kicked, self._thread = False, 0

    @property
    def vtl(self) -> int:
        return self._seat.vtl

    @property
    def instructions(self) -> int | None:
        """KVM does not count them."""
        return None

    def run(self, budget: int | None = None) -> AnyExit:
        if budget is not None:
            raise Unsupported("run with a budget", "KVM counts no instructions: bound a run by time or exits")
        if self._fences.pending is not None:
            raise HypervisorError(errno.EBUSY, "run", rule="the last exit has not been answered")
        self._thread = threading.get_native_id()
        exit = None
        while exit is None:
            exit = self._enter()
        return exit

    def resolve(self, exit: AnyExit, resolution: Resolution) -> None:
        self._fences.answer(resolution)

    def settle(self) -> None:
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
        return self._fences.registers(self._seat.active.registers())

    def set_registers(self, registers: Registers) -> None:
        """EBUSY while an exit waits to be answered or an access to be made again."""
        self._require_settled("set_registers")
        self._seat.active.set_registers(registers)
        self._entry = registers.rip

    def inject(self, event: Inject) -> None:
        """As the contract says; also EBUSY while an access is to be made again, and Unsupported for #BP and #OF."""
        require_exception(event, "inject")
        events.require_deliverable(event)
        self._require_settled("inject")
        events.queue(self._seat.active, event)

    def enter_vtl(self, vtl: int) -> None:
        """EBUSY while an exit waits to be answered or an access to be made again."""
        highest = len(self._space.vtls) - 1
        if not 0 <= vtl <= highest:
            raise HypervisorError(errno.EINVAL, "enter_vtl", "vtl", vtl, f"this vm has VTLs 0 to {highest}")
        self._require_settled("enter_vtl")
        self._seat.enter_vtl(vtl)
        self._entry = self._seat.active.registers().rip

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

    def close(self) -> None:
        self._seat.close()
        self._fences.close()

    def _enter(self) -> AnyExit | None:
        """One KVM_RUN; None when it is to be entered again."""
        seat = self._seat
        if self._kicked:
            return self._interrupted(self.registers().rip)
        if self._fences.again is not None:
            return self._fences.present_again(self._fences.again)
        if seat.stepper.answered:
            seat.finish_step()
            return None
        self._serial = -1
        if not seat.unread:
            self._since = self._space.changes.serial
            self._serial = seat.active.ring.serial if seat.active.ring else 0
            try:
                seat.active.enter()
            except InterruptedError:
                # What is left of a kick already told; a new one sets its flag before it sets this.
                seat.active.page.immediate_exit = False
                return self._interrupted(seat.active.page.u64[RIP]) if self._kicked else None
            except OSError as error:
                return self._refused(error)
        seat.unread = False
        return self._read_exit()

    def _read_exit(self) -> AnyExit | None:
        page = self._seat.active.page
        reason = page.u32[2]
        if reason == _IO:
            return self._fences.tell(self._io.read(page, self._entry, self._seat.vtl))
        if reason == _MMIO:
            # In a step there are no masks: what exits there is void or read-only.
            denied = violation.mmio(page, self._space, self._known, self._entry)
            return self._fences.meet(denied, self._since, not self._seat.stepping)
        if reason == _INTERNAL_ERROR:
            facts = page.internal_facts()
            raw = f"KVM_EXIT_INTERNAL_ERROR suberror {facts['suberror']}"
            # The emulator's loads have exits of their own; what fails as a whole is a fetch or a locked store.
            return self._failed(Failure(page, raw, facts, (Access.WRITE,)))
        if reason == _RING_FULL:
            return self._ring_full()
        if reason in _MSR:
            return self._fences.tell(msr.read(self._seat, self.index))
        if self._seat.stepping:
            self._seat.end_step()
            if reason == _DEBUG:
                return None
        return exits.plain(page, self.index, self._seat.vtl)

    def _ring_full(self) -> AnyExit | None:
        """Nothing has been executed, a step under way is still under way. Told only where rings are on."""
        active = self._seat.active
        with self._space.lock:
            if active.ring and active.ring.free_when_stuck(self._serial):
                active.vm.reset_dirty_rings()
                return None
        return exits.ring_full(active.page, self.index, self._seat.vtl)

    def _refused(self, error: OSError) -> AnyExit | None:
        """KVM_RUN failed. EFAULT is how kernels with hardware paging tell of a fenced page (api.rst 4.10 and 5)."""
        number, page = error.errno or 0, self._seat.active.page
        if number not in (errno.EFAULT, _EHWPOISON):
            raise HypervisorError(number, "KVM_RUN") from error
        facts, raw = {"errno": number}, "KVM_RUN EFAULT"
        if page.u32[2] == _MEMORY_FAULT:
            facts["flags"], facts["gpa"], facts["size"] = page.memory_fault()
            raw = "KVM_RUN EFAULT, KVM_EXIT_MEMORY_FAULT"
        return self._failed(Failure(page, raw, facts, (Access.READ, Access.WRITE)))

    def _failed(self, failure: Failure) -> AnyExit | None:
        """Nothing of the instruction at RIP has happened."""
        seat = self._seat
        vector = events.undelivered(seat.active)
        if vector is not None:
            # Not the instruction's doing: the IDT, the GDT or the stack cannot be reached. It is queued still.
            failure.facts["delivers"] = vector
        if seat.stepping:
            seat.abandon_step()
        elif vector is None:
            found, exit = self._fences.meet_whole(failure, self._since)
            if found:
                self._reruns = 0
                return exit
        # If something changed meanwhile, that was it, and the instruction is tried again.
        self._reruns += 1
        if self._since != self._space.changes.serial and self._reruns <= MAX_RERUNS:
            return None
        at = origin.at_rip(seat.addresses(), seat.active.page.u64[RIP])
        return exits.internal_error(at, failure.raw, failure.facts, self.index, seat.vtl)

    def _interrupted(self, rip: int) -> AnyExit:
        for fd in self._seat.all_fds():
            fd.page.immediate_exit = False
        self._kicked = False
        return exits.interrupted(rip, self.index, self._seat.vtl)

    def _require_settled(self, call: str) -> None:
        self.settle()
        if self._fences.waiting or self._seat.unread or self._seat.stepping:
            raise HypervisorError(errno.EBUSY, call, rule="an exit waits to be answered, or an access to be made again")

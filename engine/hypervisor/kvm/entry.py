"""One entry into the guest: KVM_RUN, and what came of it as a typed exit, or nothing when it is to be entered again."""

import errno
from collections.abc import Callable

from engine.abi.kvm import ExitReason
from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.kvm import events, exits, hyperv, msr, origin, violation
from engine.hypervisor.kvm.fences import Fences
from engine.hypervisor.kvm.io_port import IoReader
from engine.hypervisor.kvm.known_code import KnownCode
from engine.hypervisor.kvm.run_page import RIP
from engine.hypervisor.kvm.seat import Seat
from engine.hypervisor.kvm.space import GuestSpace
from engine.hypervisor.kvm.violation import Failure
from engine.model.exits import AnyExit
from engine.model.rights import Access

_IO, _MMIO, _DEBUG = int(ExitReason.IO), int(ExitReason.MMIO), int(ExitReason.DEBUG)
_INTERNAL_ERROR, _MEMORY_FAULT = int(ExitReason.INTERNAL_ERROR), int(ExitReason.MEMORY_FAULT)
_HYPERV = int(ExitReason.HYPERV)
_RING_FULL = int(ExitReason.DIRTY_RING_FULL)
_SET_TPR = int(ExitReason.SET_TPR)
_MSR = (int(ExitReason.X86_RDMSR), int(ExitReason.X86_WRMSR))
_EHWPOISON = 133
Interruption = Callable[[], AnyExit | None]
MAX_RERUNS = 100
"""How often in a row an instruction is tried again because something changed while it failed."""


class Entry:
    """`start` is an address where some instruction of the guest's begins: for finding the one before RIP."""

    def __init__(
        self, space: GuestSpace, seat: Seat, fences: Fences, index: int, out_past: bool, kicked: Interruption
    ) -> None:
        """`kicked` says what a signal that ended KVM_RUN was."""
        self.start = 0
        self._kicked = kicked
        self._space, self._seat, self._fences, self._index = space, seat, fences, index
        self._known = KnownCode(space)
        self._io = IoReader(space, self._known, out_past, index)
        self._since = self._reruns = self._serial = 0

    def enter(self) -> AnyExit | None:
        seat = self._seat
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
                return self._kicked()
            except OSError as error:
                return self._refused(error)
        seat.unread = False
        return self._read_exit()

    def _read_exit(self) -> AnyExit | None:
        page = self._seat.active.page
        reason = page.u32[2]
        if reason == _IO:
            return self._fences.tell(self._io.read(page, self.start, self._seat.vtl))
        if reason == _MMIO:
            # In a step there are no masks: what exits there is void or read-only.
            denied = violation.mmio(page, self._space, self._known, self.start)
            return self._fences.meet(denied, self._since, not self._seat.stepping)
        if reason == _INTERNAL_ERROR:
            facts = page.internal_facts()
            raw = f"KVM_EXIT_INTERNAL_ERROR suberror {facts['suberror']}"
            # The emulator's loads have exits of their own; what fails as a whole is a fetch or a locked store.
            return self._failed(Failure(page, raw, facts, (Access.WRITE,)))
        if reason == _RING_FULL:
            return self._ring_full()
        if reason in _MSR:
            return self._fences.tell(msr.read(self._seat, self._index))
        if reason == _HYPERV and hyperv.is_call(page):
            return self._fences.tell(hyperv.read(self._seat, self._index))
        if self._seat.stepping:
            self._seat.end_step()
            if reason == _DEBUG:
                return None
        if reason == _SET_TPR:
            # The guest has lowered CR8, and kernels without a local APIC tell; the instruction is done.
            return None
        return exits.plain(page, self._index, self._seat.vtl)

    def _ring_full(self) -> AnyExit | None:
        """Nothing has been executed, a step under way is still under way. Told only where rings are on."""
        active = self._seat.active
        with self._space.lock:
            if active.ring and active.ring.free_when_stuck(self._serial):
                active.vm.reset_dirty_rings()
                return None
        return exits.ring_full(active.page, self._index, self._seat.vtl)

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
            failure.facts["vector"] = vector
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
        return exits.internal_error(at, failure.raw, failure.facts, self._index, seat.vtl)

"""Exceptions on their way to the guest: one a VTL can wait, and enters before the next instruction."""

import msgspec

from engine.hypervisor.contract.vectors import WITH_ERROR_CODE
from engine.hypervisor.sim import exits
from engine.hypervisor.sim.deliver import Entry, Event, FaultError, TripleFaultError, combined, enter
from engine.hypervisor.sim.linear import UnreachableError
from engine.hypervisor.sim.processor import Processor
from engine.hypervisor.sim.stop import Denied, Raised
from engine.model.exits import AnyExit


class Delivery:
    """Of one vCPU."""

    def __init__(self, processor: Processor) -> None:
        self._cpu = processor
        self._waiting: dict[int, Event] = {}
        """By VTL."""

    def state(self) -> dict[int, Event]:
        """For a snapshot."""
        return self._waiting.copy()

    def restore(self, state: dict[int, Event]) -> None:
        self._waiting = state.copy()

    @property
    def waits(self) -> bool:
        return bool(self._waiting) and self._cpu.vtl in self._waiting

    def put(self, event: Event) -> None:
        """To be taken before the next instruction; in place of one that waits already."""
        self._waiting[self._cpu.vtl] = event

    def raised(self, raised: Raised) -> None:
        code = raised.error_code if raised.vector in WITH_ERROR_CODE and not raised.software else None
        self.put(Event(raised.vector, code, None, raised.software))

    def refused(self, denied: Denied) -> None:
        """The guest's own tables do."""
        self.put(self._cpu.page_fault(denied))

    def take(self) -> AnyExit | None:
        """Let it enter its handler, which counts as an instruction; what cannot be delivered ends the vCPU. None, and
        it still waits, when the dirty ring has no room for its frame."""
        event = self._waiting.pop(self._cpu.vtl)
        first = event
        while True:
            if event.address is not None:
                self._cpu.core.set_cr2(event.address)
            try:
                entry = self._entered(event)
            except FaultError as fault:
                try:
                    event = combined(event, fault.event)
                except TripleFaultError:
                    return exits.shutdown(f"vector {first.vector} and then {fault.event.vector}", self._cpu.where())
            except UnreachableError as unreachable:
                return self._unreachable(event, unreachable.denied)
            else:
                core = self._cpu.core
                goes = {"rip": entry.rip, "rsp": entry.rsp, "rflags": entry.rflags}
                core.go(msgspec.structs.replace(core.registers(), **goes), entry.cs, entry.ss)
                core.executed += 1
                return None

    def _entered(self, event: Event) -> Entry:
        core = self._cpu.core
        entry = enter(event, core.system(), core.registers(), self._cpu.linear.read)
        self._cpu.linear.write(entry.rsp, entry.frame)
        return entry

    def _unreachable(self, event: Event, denied: Denied) -> AnyExit | None:
        if denied.ring_full:
            self.put(event)
            return None
        facts = {"vector": event.vector, "gpa": denied.gpa or 0}
        return exits.delivery_error(
            f"vector {event.vector}: {denied.access} of {denied.gpa:#x}", facts, self._cpu.where()
        )

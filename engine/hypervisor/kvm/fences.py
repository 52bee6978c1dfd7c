"""Accesses that did not go through: judged, told as exits, answered, and where need be made again."""

from msgspec.structs import replace

from engine.hypervisor.contract.vectors import require_exception
from engine.hypervisor.kvm import answers, events, hyperv, msr
from engine.hypervisor.kvm.foretold import foretold
from engine.hypervisor.kvm.pending import STORE, WHOLE, Denied, Hcall, Io, Operation, Pending
from engine.hypervisor.kvm.rewind import before
from engine.hypervisor.kvm.seat import Seat
from engine.hypervisor.kvm.space import GuestSpace, Verdict
from engine.hypervisor.kvm.stepper import Stepper
from engine.hypervisor.kvm.trial import Answers, Trial
from engine.hypervisor.kvm.violation import Failure
from engine.hypervisor.kvm.withdraw import withdraw
from engine.model.address import PAGE_SHIFT
from engine.model.exits import AnyExit
from engine.model.registers import Registers
from engine.model.resolution import Complete, Drop, Inject, Resolution, Retry
from engine.model.rights import Access, Rights

_AS_IF_PERMITTED = Complete()
_PERMITTED, _PROTECTION = Verdict.PERMITTED, Verdict.PROTECTION


class Fences:
    """`pending` has been told and waits for its answer; `again` is to be judged and told anew before the next entry."""

    def __init__(self, space: GuestSpace, seat: Seat, index: int) -> None:
        self._space, self._seat, self._index = space, seat, index
        self.pending: Pending | None = None
        self.again: Pending | None = None
        self._fenced = False
        self._lifted = False
        self._rest: list[Denied] = []
        self._trial = Trial(space, space.copy, index) if space.copy else None
        self._answers = Answers()

    @property
    def waiting(self) -> Pending | None:
        return self.pending or self.again

    @property
    def tries(self) -> Stepper | None:
        """The helper that instructions are tried out on; None where none are."""
        return self._trial.stepper if self._trial else None

    def tell(self, operation: Operation) -> AnyExit:
        self.pending = operation
        return operation.exit

    def meet(self, denied: Denied, since: int, masked: bool = True) -> AnyExit | None:
        """The exit for one access, made since change `since`; None when it could be finished unseen."""
        verdict = self._judge(denied, since, masked)
        if verdict is not _PERMITTED:
            return self._tell(denied, verdict)
        self._let_pass(denied)
        return None

    def meet_whole(self, failure: Failure, since: int) -> tuple[bool, AnyExit | None]:
        """For an instruction of which nothing has happened: whether a fence was the cause, and its exit if it is told.

        Further fences the same instruction meets are told after this one is completed.
        """
        addresses = self._seat.addresses()
        denied = failure.denied(addresses, lambda one: self._judge(one, since))
        if denied:
            self._rest, self._answers = denied[1:], Answers()
            return True, self._tell(denied[0], Verdict.PROTECTION)
        if denied is not None and failure.is_trapped(addresses, self._traps):
            # Permitted, but the host's page is closed: execute the instruction where no page is.
            self._seat.begin_step()
            return True, None
        return False, None

    def present_again(self, again: Pending) -> AnyExit | None:
        """An exit answered with Retry, or one whose page went away before it could be completed."""
        self.again = None
        if not isinstance(again, Denied):
            return self.tell(again)
        masked, self._lifted = not self._lifted, False
        return self.meet(again, self._space.changes.serial, masked)

    def answer(self, resolution: Resolution) -> None:
        pending, stepping = self.pending, self._seat.stepping
        if pending is None:
            return
        if isinstance(resolution, Inject):
            self._inject(pending, resolution)
        elif isinstance(pending, Denied):
            self._answer_denied(pending, resolution)
        else:
            if pending.incoming:
                self._give(pending, resolution)
            self.again = pending if isinstance(resolution, Retry) else None
        self.pending = None
        if stepping:
            self._seat.stepper.answered = self._seat.stepping and self.again is None

    def close(self) -> None:
        if self._trial:
            self._trial.close()

    def registers(self, after: Registers) -> Registers:
        """`after` as they were before the access that waits."""
        waiting = self.waiting
        if waiting is None:
            return after
        if isinstance(waiting, Denied) and waiting.shape is STORE:
            after = before(self._seat.addresses(), waiting, after) or after
        return replace(after, rip=waiting.origin.rip)

    def take_back(self) -> None:
        """An access answered with Retry that KVM still waits for: its instruction has not begun. Unsupported as
        withdraw says."""
        if self.pending is None and isinstance(self.again, Denied) and not self._lifted:
            withdraw(self._space, self._seat, self.again)
            self.again = None

    def _judge(self, denied: Denied, since: int, masked: bool = True) -> Verdict:
        return self._space.judge(self._seat.vtl, denied.gpa, denied.access, since, masked)

    def _traps(self, denied: Denied) -> bool:
        """The mask permits loads from the page, the host does not (views.PROTECTION)."""
        return self._space.vtls[self._seat.vtl].masks.get(denied.gpa >> PAGE_SHIFT) == Rights.R

    def _tell(self, denied: Denied, verdict: Verdict) -> AnyExit:
        if denied.shape is WHOLE and denied.access is Access.WRITE:
            denied = replace(denied, data=self._foretold(denied))
        self.pending, self._fenced = denied, verdict is _PROTECTION
        return denied.exit(self._index, self._seat.vtl, verdict)

    def _foretold(self, denied: Denied) -> bytes | None:
        """What a store of which nothing has happened would store; None where that cannot be told."""
        addresses = self._seat.addresses()
        if self._trial:
            return self._trial.told(self._seat.active, addresses, denied, self._answers)
        return foretold(addresses, denied, self._seat.active.page.registers())

    def _let_pass(self, denied: Denied) -> None:
        """Finish the access as if nothing forbade it."""
        if denied.shape is WHOLE:
            self._next_of_whole(denied)
        elif answers.complete(self._space, self._seat.active, denied):
            self._seat.stepper.answered = self._seat.stepping
        else:
            self.again, self._lifted = denied, True

    def _inject(self, pending: Pending, event: Inject) -> None:
        require_exception(event, "resolve")
        events.require_deliverable(event)
        withdraw(self._space, self._seat, pending)
        events.queue(self._seat.active, event)
        self._rest, self._answers = [], Answers()

    def _give(self, operation: Operation, resolution: Resolution) -> None:
        if isinstance(operation, Io):
            answers.io(self._seat.active, operation, resolution)
        elif isinstance(operation, Hcall):
            hyperv.answer(self._seat.active, resolution)
        else:
            msr.answer(self._seat.active, operation, resolution)

    def _answer_denied(self, denied: Denied, resolution: Resolution) -> None:
        if denied.shape is WHOLE:
            self._answer_whole(denied, resolution)
        elif isinstance(resolution, Retry):
            rewound = answers.rewound(self._seat.addresses(), self._seat.active, denied)
            self.again = None if rewound else denied
        elif self._fenced and resolution == _AS_IF_PERMITTED:
            self._let_pass(denied)
        else:
            answers.give(self._seat.active, denied, getattr(resolution, "data", None))

    def _answer_whole(self, denied: Denied, resolution: Resolution) -> None:
        if isinstance(resolution, Retry):
            self._rest = []
        elif resolution == _AS_IF_PERMITTED:
            self._next_of_whole(denied)
        elif self._trial is None or denied.access is Access.EXECUTE:
            answers.skip(self._seat.active, denied, resolution)
            self._rest = []
        else:
            self._note(denied, getattr(resolution, "data", None))
            self._next_of_whole(denied)

    def _note(self, denied: Denied, data: bytes | None) -> None:
        """Bytes for a load, all ones for None; a store is not to happen."""
        if denied.access is Access.READ:
            self._answers.given.append((denied.gpa, answers.padded(data, denied.size)))
        else:
            self._answers.dropped.append((denied.gpa, denied.size))

    def _next_of_whole(self, denied: Denied) -> None:
        """On to the next fence the instruction meets; after the last, it is executed where there are none."""
        if self._rest:
            self.again = self._rest.pop(0)
        elif not self._answers.differ:
            self._seat.begin_step()
        elif not self._committed(denied):
            answers.skip(self._seat.active, denied, Drop())

    def _committed(self, denied: Denied) -> bool:
        """Whether the instruction has been done with the answers given."""
        found = self._trial
        return found is not None and found.commit(self._seat.active, self._seat.addresses(), denied, self._answers)

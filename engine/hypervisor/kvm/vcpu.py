"""Vcpu of the contract on KVM: one kernel vCPU per VTL, exits made typed, resolutions carried out."""

import errno
import threading

from msgspec.structs import replace

from engine.abi.kvm import ExitReason
from engine.hypervisor.contract.errors import HypervisorError, Unsupported
from engine.hypervisor.kvm import answers, exits, origin, violation
from engine.hypervisor.kvm.address_space import AddressSpace
from engine.hypervisor.kvm.io_port import IoReader
from engine.hypervisor.kvm.kick import interrupt
from engine.hypervisor.kvm.known_code import KnownCode
from engine.hypervisor.kvm.pending import Denied, Io, Pending, Shape
from engine.hypervisor.kvm.probe import Behaviour
from engine.hypervisor.kvm.rewind import before
from engine.hypervisor.kvm.run_page import CR3, RIP
from engine.hypervisor.kvm.space import GuestSpace, Verdict
from engine.hypervisor.kvm.stepper import Stepper
from engine.hypervisor.kvm.vcpu_fd import VcpuFd
from engine.hypervisor.kvm.violation import Failure
from engine.model.address import PAGE_SHIFT
from engine.model.exits import AnyExit
from engine.model.registers import Registers
from engine.model.resolution import Complete, Resolution, Retry
from engine.model.rights import Access, Rights

_IO, _MMIO, _DEBUG = int(ExitReason.IO), int(ExitReason.MMIO), int(ExitReason.DEBUG)
_INTERNAL_ERROR, _MEMORY_FAULT = int(ExitReason.INTERNAL_ERROR), int(ExitReason.MEMORY_FAULT)
_EHWPOISON = 133
MAX_RERUNS = 100
"""How often in a row an instruction is tried again because something changed while it failed."""


class KvmVcpu:
    """run, resolve, settle and the registers are for one thread at a time; kick is for any."""

    def __init__(self, space: GuestSpace, behaviour: Behaviour, index: int, cr3: int) -> None:
        self.index = index
        self._space, self._vtl, self._entry = space, 0, 0
        self._fds: list[VcpuFd] = []
        self._stepper = Stepper(space.vtls[-1].vm, index)
        try:
            for vtl in space.vtls:
                self._fds.append(VcpuFd(vtl.vm, index))
                self._fds[-1].enter_long_mode(cr3)
        except BaseException:
            self.close()
            raise
        self._active = self._fds[0]
        self._known = KnownCode(space)
        self._io = IoReader(space, self._known, behaviour.out_past, index)
        self._pending: Pending | None = None
        self._fenced = False
        self._again: Pending | None = None
        self._lifted = False
        self._rest: list[Denied] = []
        self._unread = False
        self._since = self._reruns = 0
        self._kicked, self._thread = False, 0

    @property
    def vtl(self) -> int:
        return self._vtl

    @property
    def instructions(self) -> int | None:
        """KVM does not count them."""
        return None

    def run(self, budget: int | None = None) -> AnyExit:
        if budget is not None:
            raise Unsupported("run with a budget", "KVM counts no instructions: bound a run by time or exits")
        if self._pending is not None:
            raise HypervisorError(errno.EBUSY, "run", rule="the last exit has not been answered")
        self._thread = threading.get_native_id()
        exit = None
        while exit is None:
            exit = self._enter()
        return exit

    def resolve(self, exit: AnyExit, resolution: Resolution) -> None:
        pending, stepping = self._pending, self._stepping
        match pending:
            case None:
                return
            case Io():
                answers.io(self._active, pending, resolution)
                self._again = pending if isinstance(resolution, Retry) else None
            case Denied(shape=Shape.WHOLE):
                self._answer_whole(pending, resolution)
            case Denied():
                self._answer_mmio(pending, resolution)
        self._pending = None
        self._stepper.answered = stepping and self._again is None

    def settle(self) -> None:
        if self._pending or self._again or self._unread:
            return
        if not self._stepping:
            self._unread = not self._active.finish()
        elif self._stepper.answered:
            self._finish_step()
        else:
            self._stepper.execute()
            self._unread = True
            if self._active.page.u32[2] == _DEBUG:
                self._end_step()

    def kick(self) -> None:
        # The flag first, then the pages, then the signal: a run that misses one of them meets the next.
        self._kicked = True
        for fd in self._all_fds():
            fd.page.immediate_exit = True
        if self._thread:
            interrupt(self._thread)

    def registers(self) -> Registers:
        waiting, after = self._pending or self._again, self._active.registers()
        if waiting is None:
            return after
        if isinstance(waiting, Denied) and waiting.shape is Shape.STORE:
            after = before(self._addresses(), waiting, after) or after
        return replace(after, rip=waiting.origin.rip)

    def set_registers(self, registers: Registers) -> None:
        """EBUSY while an exit waits to be answered or an access to be made again."""
        self._require_settled("set_registers")
        self._active.set_registers(registers)
        self._entry = registers.rip

    def enter_vtl(self, vtl: int) -> None:
        """EBUSY while an exit waits to be answered or an access to be made again."""
        if not 0 <= vtl < len(self._fds):
            rule = f"this vm has VTLs 0 to {len(self._fds) - 1}"
            raise HypervisorError(errno.EINVAL, "enter_vtl", "vtl", vtl, rule)
        self._require_settled("enter_vtl")
        self._vtl, self._active = vtl, self._fds[vtl]
        self._entry = self._active.registers().rip

    def close(self) -> None:
        for fd in self._all_fds():
            fd.close()
        self._fds, self._stepper.fd = [], None

    def _enter(self) -> AnyExit | None:
        """One KVM_RUN; None when it is to be entered again."""
        if self._kicked:
            return self._interrupted()
        if self._again is not None:
            return self._present_again(self._again)
        if self._stepper.answered:
            self._finish_step()
            return None
        fd = self._active
        if not self._unread:
            self._since = self._space.changes.serial
            try:
                fd.enter()
            except InterruptedError:
                # What is left of a kick already told; a new one sets its flag before it sets this.
                fd.page.immediate_exit = False
                return None
            except OSError as error:
                return self._refused(error)
        self._unread = False
        reason = fd.page.u32[2]
        if reason == _IO:
            self._pending = found = self._io.read(fd.page, self._entry, self._vtl)
            return found.exit
        if reason == _MMIO:
            # In a step there are no masks: what exits there is void or read-only.
            denied = violation.mmio(fd.page, self._space, self._known, self._entry)
            return self._judged(denied, self._since, not self._stepping)
        return self._seldom(reason)

    def _seldom(self, reason: int) -> AnyExit | None:
        page = self._active.page
        if reason == _INTERNAL_ERROR:
            facts = page.internal_facts()
            raw = f"KVM_EXIT_INTERNAL_ERROR suberror {facts['suberror']}"
            # The emulator's loads have exits of their own; what fails as a whole is a fetch or a locked store.
            return self._failed(Failure(page, raw, facts, (Access.WRITE,)))
        if self._stepping:
            self._end_step()
            if reason == _DEBUG:
                return None
        return exits.plain(page, self.index, self._vtl)

    def _refused(self, error: OSError) -> AnyExit | None:
        """KVM_RUN failed. EFAULT is how kernels with hardware paging tell of a fenced page (api.rst 4.10 and 5)."""
        number, page = error.errno or 0, self._active.page
        if number not in (errno.EFAULT, _EHWPOISON):
            raise HypervisorError(number, "KVM_RUN") from error
        facts, raw = {"errno": number}, "KVM_RUN EFAULT"
        if page.u32[2] == _MEMORY_FAULT:
            facts["flags"], facts["gpa"], facts["size"] = page.memory_fault()
            raw = "KVM_RUN EFAULT, KVM_EXIT_MEMORY_FAULT"
        return self._failed(Failure(page, raw, facts, (Access.READ, Access.WRITE)))

    def _failed(self, failure: Failure) -> AnyExit | None:
        """Nothing of the instruction at RIP has happened: tell the first fence it meets, keep the others for after."""
        denied = None
        if self._stepping:
            self._active = self._fds[self._vtl]
        else:
            denied = failure.denied(self._addresses(), lambda one: self._verdict(one, self._since))
        if denied:
            self._rest, self._reruns = denied[1:], 0
            return self._waiting(denied[0], Verdict.PROTECTION)
        if denied is not None and failure.is_trapped(self._addresses(), self._traps):
            # Permitted, but the host's page is closed: execute the instruction where no page is.
            self._next_fence()
            return None
        # If something changed meanwhile, that was it, and the instruction is tried again.
        self._reruns += 1
        if self._since != self._space.changes.serial and self._reruns <= MAX_RERUNS:
            return None
        found = origin.at_rip(self._addresses(), self._active.page.u64[RIP])
        return exits.internal_error(found, failure.raw, failure.facts, self.index, self._vtl)

    def _judged(self, denied: Denied, since: int, masked: bool = True) -> AnyExit | None:
        verdict = self._verdict(denied, since, masked)
        if verdict is not Verdict.PERMITTED:
            return self._waiting(denied, verdict)
        self._let_pass(denied)
        return None

    def _verdict(self, denied: Denied, since: int, masked: bool = True) -> Verdict:
        return self._space.judge(self._vtl, denied.gpa, denied.access, since, masked)

    def _traps(self, denied: Denied) -> bool:
        """The mask permits loads from the page, the host does not (views.PROTECTION)."""
        return self._space.vtls[self._vtl].masks.get(denied.gpa >> PAGE_SHIFT) == Rights.R

    def _waiting(self, denied: Denied, verdict: Verdict) -> AnyExit:
        self._pending, self._fenced = denied, verdict is Verdict.PROTECTION
        return denied.exit(self.index, self._vtl, verdict)

    def _present_again(self, again: Pending) -> AnyExit | None:
        """An exit answered with Retry, or one whose page went away before it could be completed."""
        self._again = None
        if isinstance(again, Io):
            self._pending = again
            return again.exit
        masked, self._lifted = not self._lifted, False
        return self._judged(again, self._space.changes.serial, masked)

    def _let_pass(self, denied: Denied) -> None:
        """Finish the access as if nothing forbade it."""
        if denied.shape is Shape.WHOLE:
            self._next_fence()
        elif not answers.complete(self._space, self._active, denied):
            self._again, self._lifted = denied, True
        else:
            self._stepper.answered = self._stepping

    def _answer_mmio(self, denied: Denied, resolution: Resolution) -> None:
        if isinstance(resolution, Retry):
            rewound = answers.rewound(self._addresses(), self._active, denied)
            self._again = None if rewound else denied
        elif self._fenced and resolution == Complete():
            self._let_pass(denied)
        else:
            answers.give(self._active, denied, getattr(resolution, "data", None))

    def _answer_whole(self, denied: Denied, resolution: Resolution) -> None:
        if resolution == Complete():
            self._next_fence()
            return
        if not isinstance(resolution, Retry):
            answers.skip(self._active, denied, resolution)
        self._rest = []

    def _next_fence(self) -> None:
        """On to the next fence the instruction meets; after the last, it is executed where there are none."""
        if self._rest:
            self._again = self._rest.pop(0)
        else:
            self._active = self._stepper.begin(self._active)

    @property
    def _stepping(self) -> bool:
        return self._active is self._stepper.fd

    def _finish_step(self) -> None:
        """The step's exit has been answered: the kernel completes the operation, and with it the instruction."""
        self._stepper.answered = False
        if self._active.finish():
            self._end_step()
        else:
            self._unread = True

    def _end_step(self) -> None:
        self._stepper.end(self._fds[self._vtl])
        self._active, self._unread, self._stepper.answered = self._fds[self._vtl], False, False

    def _all_fds(self) -> list[VcpuFd]:
        return [*self._fds, self._stepper.fd] if self._stepper.fd else list(self._fds)

    def _require_settled(self, call: str) -> None:
        self.settle()
        if self._pending or self._again or self._unread or self._stepping:
            raise HypervisorError(errno.EBUSY, call, rule="an exit waits to be answered, or an access to be made again")

    def _addresses(self) -> AddressSpace:
        return AddressSpace(self._space, self._active.page.u64[CR3])

    def _forget_stale_kick(self) -> None:
        """A kick that an earlier run has already answered may have set the pages late; it must not bind this one."""
        if not self._kicked:
            for fd in self._all_fds():
                fd.page.immediate_exit = False

    def _interrupted(self) -> AnyExit:
        for fd in self._all_fds():
            fd.page.immediate_exit = False
        self._kicked = False
        return exits.interrupted(self.registers().rip, self.index, self._vtl)

"""Exits that are no access: each KVM exit reason as the contract tells it."""

from engine.abi.kvm import ExitReason
from engine.hypervisor.kvm.hyperv import synic
from engine.hypervisor.kvm.origin import Origin
from engine.hypervisor.kvm.run_page import RIP, RunPage
from engine.model.exits import AnyExit, HltExit, InternalError, Interrupted, RingFullExit, ShutdownExit


def halted(page: RunPage, vcpu: int, vtl: int) -> HltExit:
    return HltExit(vcpu=vcpu, vtl=vtl, rip=page.u64[RIP], raw="KVM_EXIT_HLT")


def shut_down(page: RunPage, vcpu: int, vtl: int) -> ShutdownExit:
    return ShutdownExit(vcpu=vcpu, vtl=vtl, rip=page.u64[RIP], raw="KVM_EXIT_SHUTDOWN")


def ring_full(page: RunPage, vcpu: int, vtl: int) -> RingFullExit:
    return RingFullExit(vcpu=vcpu, vtl=vtl, rip=page.u64[RIP], raw="KVM_EXIT_DIRTY_RING_FULL")


def interrupted(rip: int, vcpu: int, vtl: int) -> Interrupted:
    return Interrupted(vcpu=vcpu, vtl=vtl, rip=rip, raw="KVM_RUN EINTR")


def stepped(rip: int, vcpu: int, vtl: int) -> Interrupted:
    """The end of a budget of one instruction."""
    return Interrupted(vcpu=vcpu, vtl=vtl, rip=rip, raw="KVM_EXIT_DEBUG single step")


def debugged(page: RunPage, vcpu: int, vtl: int) -> Interrupted:
    return stepped(page.u64[RIP], vcpu, vtl)


def interruptible(page: RunPage, vcpu: int, vtl: int) -> Interrupted:
    """The guest may take an interrupt now."""
    page.interrupt_window = False
    return Interrupted(vcpu=vcpu, vtl=vtl, rip=page.u64[RIP], raw="KVM_EXIT_IRQ_WINDOW_OPEN")


def plain(page: RunPage, vcpu: int, vtl: int) -> AnyExit:
    """The exit in `page`; one that this program does not know is an InternalError with its number."""
    reason = page.u32[2]
    known = _PLAIN.get(reason)
    if known:
        return known(page, vcpu, vtl)
    rip, raw = page.u64[RIP], f"kvm_run.exit_reason {reason}"
    return InternalError(vcpu=vcpu, vtl=vtl, rip=rip, raw=raw, facts={"exit_reason": reason})


def internal_error(origin: Origin, raw: str, facts: dict[str, int], vcpu: int, vtl: int) -> InternalError:
    return InternalError(vcpu=vcpu, vtl=vtl, rip=origin.rip, code=origin.code, text=origin.text, raw=raw, facts=facts)


_PLAIN = {
    int(ExitReason.HLT): halted,
    int(ExitReason.IRQ_WINDOW_OPEN): interruptible,
    int(ExitReason.SHUTDOWN): shut_down,
    int(ExitReason.DEBUG): debugged,
    int(ExitReason.HYPERV): synic,
}

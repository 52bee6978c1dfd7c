"""The contract: an exception that the VMM puts in between runs, and which there are."""

import errno

import pytest

from engine.abi.x86 import RFLAGS_RF
from engine.conformance.handlers import TAKE_FRAME, handle
from engine.hypervisor.contract.errors import HypervisorError
from engine.model.exits import AnyExit, HltExit, ShutdownExit
from engine.model.resolution import Complete, Inject
from tests.engine.hypervisor.guest import Guest


def test_between_runs_it_comes_before_the_next_instruction(guest: Guest) -> None:
    handle(guest, {6: f"{TAKE_FRAME}hlt"})
    guest.load("inc rax\nhlt")
    guest.vcpu.inject(Inject(6))
    assert guest.vcpu.registers().rip == 0x10000
    assert isinstance(guest.vcpu.run(), HltExit)
    after = guest.vcpu.registers()
    assert (after.r8, after.rax, after.r10) == (0x10000, 0, RFLAGS_RF | 2)


def test_after_an_answered_exit_the_operation_is_finished_first(guest: Guest) -> None:
    handle(guest, {6: f"{TAKE_FRAME}hlt"})
    guest.load("in al, 0x10\nhlt")
    exit = guest.vcpu.run()
    guest.vcpu.resolve(exit, Complete(b"\x42"))
    guest.vcpu.inject(Inject(6))
    assert isinstance(guest.vcpu.run(), HltExit)
    after = guest.vcpu.registers()
    assert (after.r8, after.rax) == (0x10002, 0x42)


def test_an_exit_that_waits_is_answered_first(guest: Guest) -> None:
    guest.load("out 0x10, al\nhlt")
    guest.vcpu.run()
    with pytest.raises(HypervisorError) as refused:
        guest.vcpu.inject(Inject(6))
    assert refused.value.errno == errno.EBUSY


@pytest.mark.parametrize(("handlers", "ends"), [({}, ShutdownExit), ({8: f"{TAKE_FRAME}hlt"}, HltExit)])
def test_without_its_gate_it_is_a_double_fault_and_without_that_a_triple(
    guest: Guest, handlers: dict[int, str], ends: type[AnyExit]
) -> None:
    if handlers:
        handle(guest, handlers)
    guest.load("nop\nhlt")
    guest.vcpu.inject(Inject(6))
    assert isinstance(guest.vcpu.run(), ends)
    assert guest.vcpu.registers().r9 == (0x10000 if handlers else 0)


def test_it_waits_in_the_vtl_it_was_injected_into(guest: Guest) -> None:
    handle(guest, {6: f"{TAKE_FRAME}hlt"})
    guest.load("nop\nhlt")
    guest.vcpu.inject(Inject(6))
    guest.vcpu.enter_vtl(1)
    guest.load("inc rdx\nhlt")
    assert isinstance(guest.vcpu.run(), HltExit)
    assert guest.vcpu.registers().rdx == 1
    guest.vcpu.enter_vtl(0)
    assert isinstance(guest.vcpu.run(), HltExit)
    assert guest.vcpu.registers().r8 == 0x10000


@pytest.mark.parametrize(
    "event", [Inject(32), Inject(-1), Inject(2), Inject(13), Inject(6, 0), Inject(14, 1 << 32), Inject(14, 0, 1 << 64)]
)
def test_what_is_no_exception_is_refused(guest: Guest, event: Inject) -> None:
    guest.load("out 0x10, al\nhlt")
    exit = guest.vcpu.run()
    with pytest.raises(HypervisorError) as refused:
        guest.vcpu.resolve(exit, event)
    assert refused.value.errno == errno.EINVAL
    guest.vcpu.resolve(exit, Complete())
    with pytest.raises(HypervisorError) as refused:
        guest.vcpu.inject(event)
    assert refused.value.errno == errno.EINVAL
    assert isinstance(guest.vcpu.run(), HltExit)

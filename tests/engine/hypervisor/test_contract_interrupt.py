"""The contract: an external interrupt, taken before the next instruction, or once the guest lets it."""

import errno

import pytest

from engine.abi.x86 import RFLAGS_IF, RFLAGS_RF
from engine.conformance.handlers import TAKE_FRAME, handle
from engine.hypervisor.contract.errors import HypervisorError
from engine.model.exits import HltExit, Interrupted
from engine.model.resolution import Complete, Inject
from tests.engine.hypervisor.guest import Guest, emulates

VECTOR = 0x40
START = 0x10000


def begin(guest: Guest, assembly: str, *vectors: int, rflags: int = RFLAGS_IF | 2) -> None:
    handle(guest, {vector: f"{TAKE_FRAME}hlt" for vector in vectors or (VECTOR,)})
    guest.load(assembly, rflags=rflags)


@pytest.mark.parametrize("vector", [VECTOR, 17, 255])
def test_it_is_taken_before_the_next_instruction(guest: Guest, vector: int) -> None:
    """Its frame has no error code and no RF, whatever the exception of that number has (row 40 of docs/differences.md);
    IF is clear in the handler."""
    begin(guest, "inc rax\nhlt", vector)
    assert guest.vcpu.interrupt(vector)
    assert isinstance(guest.vcpu.run(), HltExit)
    after = guest.vcpu.registers()
    own = RFLAGS_RF if guest.is_real() and not emulates(guest) else 0
    assert (after.r8, after.rax, after.r10 & ~own) == (START, 0, RFLAGS_IF | 2)
    assert after.rflags & RFLAGS_IF == 0


def test_with_interrupts_off_it_is_not_and_run_ends_once_they_are_on(guest: Guest) -> None:
    """Behind the instruction after STI at the earliest; row 39 of docs/differences.md says when at the latest."""
    begin(guest, "inc rax\nsti\nagain: inc rcx\njmp again", rflags=2)
    assert not guest.vcpu.interrupt(VECTOR)
    assert isinstance(guest.vcpu.run(), Interrupted)
    before = guest.vcpu.registers()
    assert (before.rax, before.rcx > 0, before.rflags & RFLAGS_IF) == (1, True, RFLAGS_IF)
    assert guest.vcpu.interrupt(VECTOR)
    assert isinstance(guest.vcpu.run(), HltExit)
    after = guest.vcpu.registers()
    assert (after.r8, after.rcx) == (before.rip, before.rcx)


def test_an_exit_on_the_way_comes_first(guest: Guest) -> None:
    begin(guest, "out 0x10, al\nsti\nagain: jmp again", rflags=2)
    assert not guest.vcpu.interrupt(VECTOR)
    exit = guest.vcpu.run()
    assert exit.rip == START
    guest.vcpu.resolve(exit, Complete())
    assert isinstance(guest.vcpu.run(), Interrupted)


def test_another_is_taken_only_when_the_first_handler_lets_it(guest: Guest) -> None:
    begin(guest, "nop\nhlt", VECTOR, VECTOR + 1)
    assert guest.vcpu.interrupt(VECTOR)
    assert not guest.vcpu.interrupt(VECTOR + 1)
    assert isinstance(guest.vcpu.run(), HltExit)


def test_an_exception_comes_first(guest: Guest) -> None:
    begin(guest, "nop\nhlt", VECTOR, 6)
    guest.vcpu.inject(Inject(6))
    assert not guest.vcpu.interrupt(VECTOR)


def test_in_another_vtl_nobody_waits_for_it(guest: Guest) -> None:
    begin(guest, "nop\nhlt", rflags=2)
    assert not guest.vcpu.interrupt(VECTOR)
    guest.vcpu.enter_vtl(1)
    guest.load("sti\nnop\nnop\nhlt")
    assert isinstance(guest.vcpu.run(), HltExit)


@pytest.mark.parametrize("vector", [-1, 15, 256])
def test_what_is_no_interrupt_is_refused(guest: Guest, vector: int) -> None:
    with pytest.raises(HypervisorError) as refused:
        guest.vcpu.interrupt(vector)
    assert refused.value.errno == errno.EINVAL


def test_an_exit_that_waits_is_answered_first(guest: Guest) -> None:
    begin(guest, "out 0x10, al\nhlt")
    guest.vcpu.run()
    with pytest.raises(HypervisorError) as refused:
        guest.vcpu.interrupt(VECTOR)
    assert refused.value.errno == errno.EBUSY

"""Exceptions on real KVM: where this host cannot, and what a fence in the way of a delivery does."""

import pytest

from engine.conformance.handlers import TAKE_FRAME, handle
from engine.hypervisor.contract.errors import Unsupported
from engine.model.exits import HltExit, InternalError, ShutdownExit
from engine.model.resolution import Inject
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import Guest


@pytest.mark.parametrize("vector", [3, 4])
def test_the_trap_of_an_instruction_is_not_injected(guest: Guest, vector: int) -> None:
    guest.load("nop\nhlt")
    with pytest.raises(Unsupported):
        guest.vcpu.inject(Inject(vector))
    assert isinstance(guest.vcpu.run(), HltExit)


@pytest.mark.parametrize("assembly", ["ud2", "inc qword ptr [rbx]"])
def test_a_fence_on_the_handlers_stack_is_not_taken_for_the_instructions(guest: Guest, assembly: str) -> None:
    handle(guest, {6: f"{TAKE_FRAME}hlt"})
    guest.fence(Rights.RX)
    guest.load(f"{assembly}\nhlt", rbx=Guest.PAGE, rsp=Guest.PAGE + 0x800)
    if assembly != "ud2":
        guest.vcpu.inject(Inject(6))
    exit = guest.vcpu.run()
    if not guest.vm.capabilities.denies_whole:
        assert isinstance(exit, ShutdownExit)
        return
    assert isinstance(exit, InternalError)
    assert exit.facts["vector"] == 6
    guest.fence(Rights.RWX)
    assert isinstance(guest.vcpu.run(), HltExit)
    assert guest.vcpu.registers().r8 == 0x10000

"""Execute rights of ring 3 by UX: whose they are, and that a change is seen at once. What masks then deny is in
engine/conformance/masks.py."""

import errno

import pytest

from engine.conformance import ring_3
from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.contract.extensions import ModeBasedExecution, Snapshots
from engine.model.exits import HltExit, ProtectionExit
from engine.model.layout import PML4
from engine.model.resolution import Retry
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import Guest

R_UX = Rights.R | Rights.UX


@pytest.fixture
def calling(sim: Guest) -> Guest:
    """Ring 3 calls a RET in a page that only ring 3 may execute, then ends."""
    sim.memory.write(Guest.PAGE, b"\xc3")
    sim.fence(R_UX)
    ring_3.begin(sim, "call rcx\nud2", rcx=Guest.PAGE)
    return sim


def set_mbec(guest: Guest, on: bool, vcpu: int = 0, vtl: int = 0) -> None:
    guest.vm.extension(ModeBasedExecution).set_mbec(vcpu, vtl, on)


def test_it_is_off_from_the_start_and_seen_at_once_when_it_is_not(calling: Guest) -> None:
    exit = calling.vcpu.run()
    assert isinstance(exit, ProtectionExit)
    set_mbec(calling, on=True)
    calling.vcpu.resolve(exit, Retry())
    assert isinstance(calling.vcpu.run(), HltExit)


def test_it_is_each_vtls_own_and_each_vcpus(calling: Guest) -> None:
    calling.vcpus.append(calling.vm.create_vcpu(1, PML4))
    set_mbec(calling, on=True, vtl=1)
    set_mbec(calling, on=True, vcpu=1)
    assert isinstance(calling.vcpu.run(), ProtectionExit)


def test_a_snapshot_has_it(calling: Guest) -> None:
    set_mbec(calling, on=True)
    snapshots = calling.vm.extension(Snapshots)
    taken = snapshots.take()
    set_mbec(calling, on=False)
    assert isinstance(calling.vcpu.run(), ProtectionExit)
    snapshots.restore(taken)
    assert isinstance(calling.vcpu.run(), HltExit)


@pytest.mark.parametrize(("vcpu", "vtl"), [(1, 0), (0, 2), (0, -1)])
def test_a_vcpu_or_vtl_that_is_not_there(sim: Guest, vcpu: int, vtl: int) -> None:
    with pytest.raises(HypervisorError) as refused:
        set_mbec(sim, on=True, vcpu=vcpu, vtl=vtl)
    assert refused.value.errno == errno.EINVAL

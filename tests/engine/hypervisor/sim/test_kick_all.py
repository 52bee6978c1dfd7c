"""Kick-all and resume-all, as the kernel list proposed them in October 2022."""

import errno
import threading
import time
from collections.abc import Callable

import pytest

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.contract.extensions import KickAll
from engine.model.exits import AnyExit, HltExit, Interrupted, ProtectionExit
from engine.model.layout import PML4, code_base
from engine.model.resolution import Complete
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import Guest

SPIN = "spin: inc rbx\njmp spin"


def kicks(guest: Guest) -> KickAll:
    return guest.vm.extension(KickAll)


def test_nobody_is_in_the_guest_when_the_kick_returns(sim: Guest) -> None:
    sim.vcpus.append(sim.vm.create_vcpu(1, PML4))
    for index in (0, 1):
        sim.load(SPIN, at=code_base(index), vcpu=index)
    found: list[AnyExit] = []
    threads = [threading.Thread(target=lambda vcpu=vcpu: found.append(vcpu.run())) for vcpu in sim.vcpus]
    for thread in threads:
        thread.start()
    while not all(vcpu.instructions for vcpu in sim.vcpus):
        time.sleep(0.001)
    kicks(sim).kick_all()
    before = [vcpu.registers().rbx for vcpu in sim.vcpus]
    assert [type(vcpu.run()) for vcpu in sim.vcpus] == [Interrupted, Interrupted]
    assert [vcpu.registers().rbx for vcpu in sim.vcpus] == before
    for thread in threads:
        thread.join()
    assert [type(exit) for exit in found] == [Interrupted, Interrupted]


def test_every_run_is_interrupted_at_once_until_all_are_resumed(sim: Guest) -> None:
    sim.load("inc rbx\nhlt")
    kicks(sim).kick_all()
    for budget in (None, 1, 100):
        assert isinstance(sim.vcpu.run(budget), Interrupted)
    assert sim.vcpu.registers().rbx == 0
    sim.vcpus.append(sim.vm.create_vcpu(1, PML4))
    assert isinstance(sim.vcpus[1].run(), Interrupted)
    kicks(sim).resume_all()
    assert isinstance(sim.vcpu.run(), HltExit)
    assert sim.vcpu.registers().rbx == 1


def test_the_vm_can_be_changed_meanwhile_and_an_open_exit_answered(sim: Guest) -> None:
    sim.fence(Rights.R)
    sim.load("mov [rbx], rax\nhlt", rbx=Guest.PAGE, rax=7)
    exit = sim.vcpu.run()
    assert isinstance(exit, ProtectionExit)
    kicks(sim).kick_all()
    sim.vcpu.resolve(exit, Complete())
    assert isinstance(sim.vcpu.run(), Interrupted)
    assert sim.word() == 7
    sim.fence(Rights.RWX)
    kicks(sim).resume_all()
    assert isinstance(sim.vcpu.run(), HltExit)


def test_an_exit_that_came_before_the_kick_is_told_first(sim: Guest) -> None:
    sim.fence(Rights.NONE)
    sim.load("push [rbx]\nhlt", rbx=Guest.PAGE, rsp=Guest.PAGE + 0x100)
    load = sim.vcpu.run()
    sim.vcpu.resolve(load, Complete())
    kicks(sim).kick_all()
    store = sim.vcpu.run()
    assert isinstance(store, ProtectionExit)
    sim.vcpu.resolve(store, Complete())
    assert isinstance(sim.vcpu.run(), Interrupted)


def test_errnos(sim: Guest) -> None:
    assert errno_of(kicks(sim).resume_all) == errno.EINVAL
    kicks(sim).kick_all()
    assert errno_of(kicks(sim).kick_all) == errno.EBUSY
    kicks(sim).resume_all()
    assert errno_of(kicks(sim).resume_all) == errno.EINVAL


def errno_of(call: Callable[[], None]) -> int | None:
    with pytest.raises(HypervisorError) as refused:
        call()
    return refused.value.errno

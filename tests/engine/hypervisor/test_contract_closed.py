"""The contract, one body for every hypervisor: a vm that is closed answers EBADF, and touches no other vm."""

import errno
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from engine.hypervisor.contract.errors import HypervisorError, Unsupported
from engine.hypervisor.contract.extensions import Snapshots
from engine.hypervisor.contract.protocols import Hypervisor
from engine.model.address import PageRange
from engine.model.exits import AnyExit, Interrupted
from engine.model.layout import PML4
from engine.model.memslot import Memslot
from engine.model.registers import Registers
from engine.model.resolution import Inject
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import LONG_MODE, MIB, Guest

CALLS: dict[str, Callable[[Guest], Any]] = {
    "run": lambda guest: guest.vcpu.run(),
    "settle": lambda guest: guest.vcpu.settle(),
    "registers": lambda guest: guest.vcpu.registers(),
    "set_registers": lambda guest: guest.vcpu.set_registers(Registers(rip=0x41414141)),
    "system_registers": lambda guest: guest.vcpu.system_registers(1),
    "set_system_registers": lambda guest: guest.vcpu.set_system_registers(1, LONG_MODE),
    "xmm": lambda guest: guest.vcpu.xmm(),
    "cr2": lambda guest: guest.vcpu.cr2(),
    "set_cr2": lambda guest: guest.vcpu.set_cr2(0),
    "set_xmm": lambda guest: guest.vcpu.set_xmm(bytes(256)),
    "inject": lambda guest: guest.vcpu.inject(Inject(6)),
    "enter_vtl": lambda guest: guest.vcpu.enter_vtl(1),
    "read": lambda guest: guest.memory.read(0, 8),
    "write": lambda guest: guest.memory.write(0, b"?"),
    "create_vcpu": lambda guest: guest.vm.create_vcpu(1, PML4),
}
KERNEL: dict[str, Callable[[Guest], Any]] = {
    "set_memory_region": lambda guest: guest.vm.set_memory_region(Memslot(1, guest.DATA, 0, 2 * MIB)),
    "set_mask": lambda guest: guest.vm.set_mask(0, PageRange.of(guest.DATA, MIB), Rights.NONE),
    "get_dirty_log": lambda guest: guest.vm.get_dirty_log(1),
}
"""On the simulator these are about data alone, which is nobody else's."""


def _refused(hypervisor: Hypervisor, call: Callable[[Guest], Any]) -> None:
    """Another guest, opened since, has what the first one had of the host's; it goes on as if nothing was."""
    first = Guest(hypervisor)
    first.load("hlt")
    first.vm.close()
    second = Guest(hypervisor)
    try:
        second.load("mov [rbx], rax\nhlt", rax=7, rbx=Guest.DATA)
        with pytest.raises(HypervisorError) as raised:
            call(first)
        assert raised.value.errno == errno.EBADF
        assert second.drive() == []
        assert second.word(Guest.DATA) == 7
        assert second.dirty() == {Guest.DATA}
    finally:
        second.vm.close()


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_after_close(hypervisor: Hypervisor, call: Callable[[Guest], Any]) -> None:
    _refused(hypervisor, call)


@pytest.mark.parametrize("call", KERNEL.values(), ids=KERNEL)
def test_a_kernels_call_after_close(hypervisor: Hypervisor, call: Callable[[Guest], Any]) -> None:
    if hypervisor.capabilities.real:
        _refused(hypervisor, call)


def test_snapshots_after_close(hypervisor: Hypervisor) -> None:
    guest = Guest(hypervisor)
    try:
        snapshots = guest.vm.extension(Snapshots)
    except Unsupported:
        guest.vm.close()
        return
    taken = snapshots.take()
    guest.vm.close()
    for call in (snapshots.take, lambda: snapshots.restore(taken)):
        with pytest.raises(HypervisorError) as raised:
            call()
        assert raised.value.errno == errno.EBADF


def test_close_on_the_simulator_waits_for_who_is_in_the_guest(sim: Guest) -> None:
    sim.load("again: mov [rbx], rax\ninc rax\njmp again", rbx=sim.DATA)
    exits: list[AnyExit] = []
    thread = threading.Thread(target=lambda: exits.append(sim.vcpu.run()))
    thread.start()
    while sim.vcpu.instructions == 0:
        time.sleep(0.001)
    sim.vm.close()
    thread.join()
    assert [type(exit) for exit in exits] == [Interrupted]

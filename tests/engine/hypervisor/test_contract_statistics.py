"""The contract: counters by the kernel's names, the same in the simulator where they mean something."""

import errno
import threading

import pytest

from engine.hypervisor.contract.errors import HypervisorError, Unsupported
from engine.hypervisor.contract.extensions import Statistics
from engine.model.exits import Interrupted
from engine.model.layout import PML4
from tests.engine.hypervisor.guest import Guest

EVERYWHERE = {"exits", "io_exits", "mmio_exits", "halt_exits", "signal_exits", "insn_emulation", "tlb_flush"}
TIMES = 7


@pytest.fixture
def statistics(guest: Guest) -> Statistics:
    try:
        return guest.vm.extension(Statistics)
    except Unsupported as missing:
        assert Statistics.__name__ not in guest.vm.capabilities.extensions
        pytest.skip(missing.reason)


def grown(guest: Guest, statistics: Statistics, assembly: str) -> dict[str, int]:
    """By how much each counter has grown when the guest has halted."""
    guest.load(f"mov ecx, {TIMES}\nagain: {assembly}\ndec ecx\njnz again\nhlt", rbx=Guest.VOID)
    before = statistics.of_vcpu(0)
    guest.drive()
    return {name: value - before[name] for name, value in statistics.of_vcpu(0).items()}


def test_the_names_are_the_kernels(guest: Guest, statistics: Statistics) -> None:
    assert statistics.of_vcpu(0).keys() >= EVERYWHERE
    assert "remote_tlb_flush" in statistics.of_vm()


def test_every_access_to_nothing_and_every_halt_is_counted_once(guest: Guest, statistics: Statistics) -> None:
    counted = grown(guest, statistics, "mov [rbx], al")
    assert (counted["mmio_exits"], counted["halt_exits"]) == (TIMES, 1)
    assert counted["exits"] > TIMES


def test_every_out_is_counted_once_where_it_is_no_emulation(guest: Guest, statistics: Statistics) -> None:
    counted = grown(guest, statistics, "out 0x10, al")
    hardware = guest.vm.capabilities.denies_whole
    assert counted["io_exits"] == (TIMES if hardware else 0)
    if not hardware:
        assert counted["insn_emulation"] >= TIMES


def test_a_kick_out_of_the_guest_is_counted(guest: Guest, statistics: Statistics) -> None:
    guest.load("again: jmp again")
    before = statistics.of_vcpu(0)["signal_exits"]
    kick = threading.Timer(0.1, guest.vcpu.kick)
    kick.start()
    assert isinstance(guest.vcpu.run(), Interrupted)
    kick.join()
    assert statistics.of_vcpu(0)["signal_exits"] > before


def test_each_vcpu_has_its_own_and_each_vtl_counts_in(guest: Guest, statistics: Statistics) -> None:
    guest.vcpus.append(guest.vm.create_vcpu(1, PML4))
    other = statistics.of_vcpu(1)
    assert grown(guest, statistics, "mov [rbx], al")["mmio_exits"] == TIMES
    assert statistics.of_vcpu(1) == other
    guest.vcpu.enter_vtl(1)
    assert grown(guest, statistics, "mov [rbx], al")["mmio_exits"] == TIMES


def test_there_are_none_of_a_vcpu_that_is_not_there(guest: Guest, statistics: Statistics) -> None:
    with pytest.raises(HypervisorError) as refused:
        statistics.of_vcpu(5)
    assert refused.value.errno == errno.EINVAL

"""The contract, one body for every hypervisor: a value out of range is EINVAL, naming the argument and the rule."""

import errno
from collections.abc import Callable
from typing import Any

import pytest

from engine.hypervisor.contract.errors import HypervisorError
from engine.model.address import PageRange
from engine.model.layout import MAX_VCPUS, PML4
from engine.model.memslot import Memslot
from engine.model.registers import Registers
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import MIB, Guest

HUGE = (1 << 64, 1 << 70, -1, -(1 << 70))
CALLS: dict[str, tuple[str, Callable[[Guest, int], Any]]] = {
    "create_vcpu": ("index", lambda guest, value: guest.vm.create_vcpu(value, PML4)),
    "page_tables": ("cr3", lambda guest, value: guest.vm.create_vcpu(1, value)),
    "rip": ("rip", lambda guest, value: guest.vcpu.set_registers(Registers(rip=value))),
    "rflags": ("rflags", lambda guest, value: guest.vcpu.set_registers(Registers(rflags=value))),
    "manual": ("flags", lambda guest, value: guest.vm.enable_manual_protect(value)),
}


def _refused(call: Callable[[], Any], argument: str, value: int) -> None:
    with pytest.raises(HypervisorError) as raised:
        call()
    assert (raised.value.errno, raised.value.argument, raised.value.value) == (errno.EINVAL, argument, value)
    assert raised.value.rule


@pytest.mark.parametrize("value", HUGE)
@pytest.mark.parametrize("name", CALLS)
def test_numbers_that_no_kernel_could_be_given(guest: Guest, name: str, value: int) -> None:
    argument, call = CALLS[name]
    before = guest.vcpu.registers()
    _refused(lambda: call(guest, value), argument, value)
    assert guest.vcpu.registers() == before


def test_an_index_that_the_layout_has_no_code_and_stack_for(guest: Guest) -> None:
    _refused(lambda: guest.vm.create_vcpu(MAX_VCPUS, PML4), "index", MAX_VCPUS)
    guest.vcpus.append(guest.vm.create_vcpu(MAX_VCPUS - 1, PML4))


@pytest.mark.parametrize("flags", [4, 8, 1 << 31])
def test_an_unknown_flag_of_a_slot_is_named(guest: Guest, flags: int) -> None:
    _refused(lambda: guest.vm.set_memory_region(Memslot(5, 6 * MIB, MIB, 6 * MIB, flags)), "flags", flags)


@pytest.mark.parametrize("base", [1 << 52, 1 << 63])
def test_a_slot_above_all_addresses_is_named(guest: Guest, base: int) -> None:
    _refused(lambda: guest.vm.set_memory_region(Memslot(5, base, MIB, 6 * MIB)), "base", base)


def test_a_log_that_is_not_there_says_why(guest: Guest) -> None:
    with pytest.raises(HypervisorError) as raised:
        guest.vm.get_dirty_log(0)
    assert (raised.value.errno, raised.value.argument) == (errno.ENOENT, "slot")
    assert raised.value.rule


@pytest.mark.parametrize("within", [PageRange(0, 1 << 70), PageRange(-5, 1 << 64), PageRange(1 << 64, 1)])
def test_masks_within_more_than_there_is(guest: Guest, within: PageRange) -> None:
    guest.fence(Rights.NONE)
    fenced = [(PageRange.of(guest.PAGE, 0x1000), Rights.NONE)]
    assert guest.vm.masks(0, within) == (fenced if guest.PAGE >> 12 in within else [])

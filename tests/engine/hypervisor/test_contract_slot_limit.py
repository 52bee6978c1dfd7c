"""As many memslots as there are numbers, as the kernel's set_memory_region_test has them; and one more."""

import errno
from pathlib import Path

import pytest

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.contract.protocols import Hypervisor, Vm
from engine.model.address import PAGE_SIZE, PageRange
from engine.model.memslot import Memslot
from engine.model.page_set import PageSet
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import Guest


def slot(number: int, size: int = PAGE_SIZE) -> Memslot:
    """One page, void pages between it and the next."""
    return Memslot(number, 2 * number * PAGE_SIZE, size, number * PAGE_SIZE)


def fill(vm: Vm, count: int) -> None:
    for number in range(2, 2 + count):
        vm.set_memory_region(Memslot(number, Guest.VOID + number * PAGE_SIZE, PAGE_SIZE, 4 << 20))


def errno_of(vm: Vm, wanted: Memslot) -> int | None:
    with pytest.raises(HypervisorError) as refused:
        vm.set_memory_region(wanted)
    return refused.value.errno


def mappings_of_guests() -> int:
    """What the guests of one process may take on real KVM (engine/hypervisor/kvm/mappings.py)."""
    limit = int(Path("/proc/sys/vm/max_map_count").read_text())
    return limit - limit // 8


def test_every_slot_number_can_be_used_at_once(hypervisor: Hypervisor) -> None:
    host = hypervisor.capabilities
    most = host.max_slots
    if host.real and most * (2 if host.denies_whole else 1) > mappings_of_guests():
        pytest.skip(f"{host.label}: vm.max_map_count has no room for {most} slots")
    vm = hypervisor.create_vm(most * PAGE_SIZE, vtls=1)
    for number in range(most):
        vm.set_memory_region(slot(number))
    assert len(vm.slots) == most
    vm.memory().write(slot(most - 1).base, b"the last")
    assert bytes(vm.ram()[-PAGE_SIZE:][:8]) == b"the last"

    assert errno_of(vm, Memslot(most, 2 * most * PAGE_SIZE, PAGE_SIZE, 0)) == errno.EINVAL
    for number in range(0, most, 2):
        vm.set_memory_region(slot(number, 0))
    assert list(vm.slots) == list(range(1, most, 2))
    overlapping = Memslot(0, slot(1).base - PAGE_SIZE, 2 * PAGE_SIZE, 0)
    assert errno_of(vm, overlapping) == errno.EEXIST
    vm.set_memory_region(Memslot(0, slot(1).base - PAGE_SIZE, PAGE_SIZE, 0))
    assert errno_of(vm, slot(2, 0)) == errno.EINVAL
    vm.close()


def test_an_address_space_that_there_is_not(guest: Guest) -> None:
    number = guest.vm.capabilities.address_spaces << 16 | 2
    assert errno_of(guest.vm, Memslot(number, Guest.VOID, PAGE_SIZE, 4 << 20)) == errno.EINVAL
    for call in (guest.vm.get_dirty_log, lambda id: guest.vm.clear_dirty_log(id, 0, 64, bytes(8))):
        with pytest.raises(HypervisorError) as refused:
            call(number)
        assert refused.value.errno == errno.EINVAL


def test_slots_that_the_host_has_no_mappings_for_are_refused_with_the_reason(guest: Guest) -> None:
    """Each is a mapping in each VTL, beside those that masks take: 32,764 slots in two VTLs are more than there are."""
    if not guest.is_real() or mappings_of_guests() > 500_000:
        pytest.skip(f"{guest.vm.capabilities.label}: nothing runs out")
    vm = guest.vm
    vm.set_mask(0, PageSet(range(0x10000, 0x10000 + mappings_of_guests() - 20, 2)), Rights.RX)
    with pytest.raises(HypervisorError) as refused:
        fill(vm, 20)
    assert refused.value.errno == errno.ENOMEM
    assert "vm.max_map_count" in refused.value.rule
    before = vm.slots
    vm.set_mask(0, PageRange(0x10000, mappings_of_guests()), Rights.RWX)
    vm.set_memory_region(Memslot(30, Guest.VOID, PAGE_SIZE, 4 << 20))
    assert set(vm.slots) == {*before, 30}


def test_a_mask_on_more_scattered_pages_than_there_are_mappings_is_undone(guest: Guest) -> None:
    if not guest.is_real() or mappings_of_guests() > 500_000:
        pytest.skip(f"{guest.vm.capabilities.label}: nothing runs out")
    guest.fence(Rights.RX)
    before = guest.vm.masks(0)
    with pytest.raises(HypervisorError) as refused:
        guest.vm.set_mask(0, PageSet(range(0, mappings_of_guests() + 2, 2)), Rights.NONE)
    assert refused.value.errno == errno.ENOMEM
    assert guest.vm.masks(0) == before
    guest.load("mov rcx, [rbx+0x2000]\nhlt", rbx=Guest.PAGE)
    assert guest.drive() == []

"""The contract, one body for every hypervisor: logs read and cleared apart, and their errnos (all measured)."""

import errno

import pytest

from engine.conformance.errnos import CLEARED, CLEARS, Clear
from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.contract.protocols import Hypervisor
from engine.model.address import PAGE_SIZE
from engine.model.dirty import ManualProtect
from engine.model.layout import PML4
from engine.model.memslot import Memslot, SlotFlags
from tests.engine.hypervisor.guest import MIB, Guest

DATA, VOID = Guest.DATA, Guest.VOID
LOG = int(SlotFlags.LOG)
ALL = b"\xff" * 64
STORES = "mov [rbx], rax\nmov [rbx+0x3000], rax\nmov [rbx+0x40000], rax\nhlt"
"""Pages 0, 3 and 64 of the slot."""


def _store(guest: Guest) -> None:
    guest.load(STORES, rbx=DATA)
    guest.drive()


def _log(guest: Guest, slot: int = 1) -> set[int]:
    bits = int.from_bytes(guest.vm.get_dirty_log(slot), "little")
    return {page for page in range(bits.bit_length()) if bits >> page & 1}


@pytest.mark.parametrize("manual", [0, 3])
@pytest.mark.parametrize("row", CLEARS, ids=[row.name for row in CLEARS])
def test_errnos_of_clear_dirty_log_are_the_same_in_every_mode(guest: Guest, manual: int, row: Clear) -> None:
    guest.vm.enable_manual_protect(manual)
    guest.vm.set_memory_region(CLEARED)
    arguments = (row.slot, row.first_page, row.num_pages, ALL)
    if row.code:
        with pytest.raises(HypervisorError) as raised:
            guest.vm.clear_dirty_log(*arguments)
        assert raised.value.errno == row.code
    else:
        guest.vm.clear_dirty_log(*arguments)


def test_a_bitmap_that_is_too_short_clears_nothing(guest: Guest) -> None:
    guest.vm.enable_manual_protect(ManualProtect.ENABLE)
    _store(guest)
    with pytest.raises(HypervisorError) as raised:
        guest.vm.clear_dirty_log(1, 0, 128, bytes(8))
    assert raised.value.errno == errno.EFAULT
    assert _log(guest) == {0, 3, 64}


def test_with_manual_protection_reading_leaves_the_log(guest: Guest) -> None:
    guest.vm.enable_manual_protect(ManualProtect.ENABLE)
    _store(guest)
    assert _log(guest) == {0, 3, 64}
    assert _log(guest) == {0, 3, 64}


def test_clearing_takes_only_the_chosen_pages_of_the_range(guest: Guest) -> None:
    guest.vm.enable_manual_protect(ManualProtect.ENABLE)
    _store(guest)
    guest.vm.clear_dirty_log(1, 0, 64, (1 << 3).to_bytes(8, "little"))
    assert _log(guest) == {0, 64}
    guest.vm.clear_dirty_log(1, 64, 64, b"\xff" * 8)
    assert _log(guest) == {0}


def test_a_cleared_page_is_told_again_when_written_and_no_other(guest: Guest) -> None:
    guest.vm.enable_manual_protect(ManualProtect.ENABLE)
    for _ in range(3):
        _store(guest)
        assert _log(guest) == {0, 3, 64}
        guest.vm.clear_dirty_log(1, 0, 512, ALL)
        assert _log(guest) == set()


def test_clearing_works_without_manual_protection_too(guest: Guest) -> None:
    _store(guest)
    guest.vm.clear_dirty_log(1, 0, 64, (1).to_bytes(8, "little"))
    assert _log(guest) == {3, 64}
    assert _log(guest) == set()


def test_every_writer_is_in_the_log_and_cleared_with_it(guest: Guest) -> None:
    """VTL0, VTL1 and the VMM, each on a page of its own."""
    guest.vm.enable_manual_protect(ManualProtect.ENABLE)
    _store(guest)
    guest.vcpu.enter_vtl(1)
    guest.load("mov [rbx+0x1000], rax\nhlt", rbx=DATA)
    guest.drive()
    guest.memory.write(DATA + 2 * PAGE_SIZE, b"by the VMM")
    assert _log(guest) == {0, 1, 2, 3, 64}
    guest.vm.clear_dirty_log(1, 0, 64, b"\x06" + bytes(7))
    assert _log(guest) == {0, 3, 64}
    guest.vm.clear_dirty_log(1, 0, 512, ALL)
    assert _log(guest) == set()


def test_a_log_that_begins_with_every_bit_set(guest: Guest) -> None:
    """api.rst 7.18: nothing is tracked until it is cleared, a word of pages at a time. The slot has 100 pages."""
    guest.vm.enable_manual_protect(ManualProtect.ENABLE | ManualProtect.INITIALLY_SET)
    assert _log(guest) == set()
    guest.vm.set_memory_region(Memslot(2, VOID, 100 * PAGE_SIZE, 4 * MIB, LOG))
    assert _log(guest, 2) == set(range(100))
    guest.vm.clear_dirty_log(2, 64, 36, ALL)
    guest.load("mov [rbx], rax\nhlt", rbx=VOID + 70 * PAGE_SIZE)
    guest.drive()
    assert _log(guest, 2) == {*range(64), 70}


def test_manual_protection_can_be_turned_off_again(guest: Guest) -> None:
    guest.vm.enable_manual_protect(ManualProtect.ENABLE)
    _store(guest)
    guest.vm.enable_manual_protect(ManualProtect.OFF)
    assert _log(guest) == {0, 3, 64}
    assert _log(guest) == set()


def test_the_vm_knows_its_vcpus(hypervisor: Hypervisor) -> None:
    vm = hypervisor.create_vm(2 * MIB)
    assert vm.vcpus == ()
    made = vm.create_vcpu(3, PML4)
    assert vm.vcpus == (made,)
    vm.close()


@pytest.mark.parametrize("slot", [-1, 1 << 32, (1 << 32) + 1, 1 << 64])
def test_a_slot_number_of_more_than_32_bits_is_no_other_slots(guest: Guest, slot: int) -> None:
    guest.memory.write(Guest.DATA, b"x")
    with pytest.raises(HypervisorError) as raised:
        guest.vm.get_dirty_log(slot)
    assert raised.value.errno == errno.EINVAL
    assert guest.dirty() == {Guest.DATA}

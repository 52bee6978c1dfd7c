"""The contract: CPUID answers from the table that the VMM has given."""

import errno

import pytest

from engine.hypervisor.contract.errors import HypervisorError
from engine.model.cpuid import CpuidLeaf
from engine.model.exits import HltExit
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import Guest

HYPERVISOR = 0x40000000
"""Leaves from here on are the hypervisor's own (SDM Vol. 2, CPUID): no kernel puts in what the host has."""


def asked(guest: Guest, function: int, index: int = 0) -> tuple[int, int, int, int]:
    guest.load("cpuid\nhlt", rax=function, rcx=index, rbx=1 << 40, rdx=1 << 40)
    assert isinstance(guest.vcpu.run(), HltExit)
    after = guest.vcpu.registers()
    return after.rax, after.rbx, after.rcx, after.rdx


def test_a_leaf_is_as_given_and_one_that_is_not_is_zero(guest: Guest) -> None:
    guest.vcpu.set_cpuid((CpuidLeaf(HYPERVISOR, None, 1, 2, 3, 0xFFFFFFFF),))
    assert asked(guest, HYPERVISOR) == (1, 2, 3, 0xFFFFFFFF)
    assert asked(guest, HYPERVISOR, 7) == (1, 2, 3, 0xFFFFFFFF)
    assert asked(guest, HYPERVISOR + 1) == (0, 0, 0, 0)


def test_a_subleaf_is_for_its_index_only(guest: Guest) -> None:
    guest.vcpu.set_cpuid((CpuidLeaf(HYPERVISOR, 0, 10), CpuidLeaf(HYPERVISOR, 3, 13, 1)))
    assert asked(guest, HYPERVISOR, 0) == (10, 0, 0, 0)
    assert asked(guest, HYPERVISOR, 3) == (13, 1, 0, 0)
    assert asked(guest, HYPERVISOR, 1) == (0, 0, 0, 0)


def test_what_is_told_can_be_read_and_given_again(guest: Guest) -> None:
    """The table of a new vCPU, and one with a leaf more."""
    table = (*guest.vcpu.cpuid, CpuidLeaf(HYPERVISOR + 0x100, None, 1, 2, 3, 4))
    assert len(table) > 1
    guest.vcpu.set_cpuid(table)
    assert guest.vcpu.cpuid == table
    assert asked(guest, HYPERVISOR + 0x100) == (1, 2, 3, 4)


def test_the_last_table_before_the_first_run_counts(guest: Guest) -> None:
    guest.vcpu.set_cpuid((CpuidLeaf(HYPERVISOR, None, 1), CpuidLeaf(HYPERVISOR + 1, None, 1)))
    guest.vcpu.set_cpuid((CpuidLeaf(HYPERVISOR, None, 2),))
    assert asked(guest, HYPERVISOR)[0] == 2
    assert asked(guest, HYPERVISOR + 1)[0] == 0


def test_every_vtl_is_told_the_same(guest: Guest) -> None:
    guest.vcpu.set_cpuid((CpuidLeaf(HYPERVISOR, None, 42),))
    guest.vcpu.enter_vtl(1)
    assert asked(guest, HYPERVISOR)[0] == 42


def test_so_is_an_instruction_whose_fetch_was_denied(guest: Guest) -> None:
    guest.vcpu.set_cpuid((CpuidLeaf(HYPERVISOR, None, 42),))
    guest.fence(Rights.NONE)
    guest.load("cpuid\njmp rdi", at=Guest.PAGE)
    guest.load("jmp rbx\nhlt", rax=HYPERVISOR, rbx=Guest.PAGE, rdi=0x10002)
    guest.drive()
    assert guest.vcpu.registers().rax == 42


def test_after_the_first_run_it_stays(guest: Guest) -> None:
    table = (CpuidLeaf(HYPERVISOR, None, 42),)
    guest.vcpu.set_cpuid(table)
    guest.load("hlt")
    guest.vcpu.run()
    with pytest.raises(HypervisorError) as refused:
        guest.vcpu.set_cpuid((CpuidLeaf(HYPERVISOR, None, 43),))
    assert refused.value.errno == errno.EINVAL
    guest.vcpu.set_cpuid(table)
    assert asked(guest, HYPERVISOR)[0] == 42


def test_a_run_in_one_vtl_is_enough(guest: Guest) -> None:
    guest.vcpu.set_cpuid((CpuidLeaf(HYPERVISOR, None, 42),))
    guest.vcpu.enter_vtl(1)
    guest.load("hlt")
    guest.vcpu.run()
    guest.vcpu.enter_vtl(0)
    with pytest.raises(HypervisorError) as refused:
        guest.vcpu.set_cpuid((CpuidLeaf(HYPERVISOR, None, 43),))
    assert refused.value.errno == errno.EINVAL
    assert asked(guest, HYPERVISOR)[0] == 42


@pytest.mark.parametrize(
    "leaves",
    [
        (CpuidLeaf(1), CpuidLeaf(1)),
        (CpuidLeaf(1, 0), CpuidLeaf(1)),
        (CpuidLeaf(1, 4), CpuidLeaf(2), CpuidLeaf(1, 4)),
        tuple(CpuidLeaf(number) for number in range(257)),
        (CpuidLeaf(1, None, 1 << 32),),
        (CpuidLeaf(-1),),
    ],
)
def test_what_is_no_table_is_refused(guest: Guest, leaves: tuple[CpuidLeaf, ...]) -> None:
    with pytest.raises(HypervisorError) as refused:
        guest.vcpu.set_cpuid(leaves)
    assert refused.value.errno == errno.EINVAL


def test_as_many_as_there_may_be(guest: Guest) -> None:
    guest.vcpu.set_cpuid(tuple(CpuidLeaf(HYPERVISOR, number, number) for number in range(256)))
    assert asked(guest, HYPERVISOR, 255)[0] == 255

"""A fixed interrupt for a VTL of some processors."""

import pytest

from engine.abi.tlfs.interface import CallCode
from engine.abi.tlfs.parameters import SendSyntheticClusterIpi
from engine.abi.tlfs.status import HvStatus
from engine.vsm.view import Caller
from tests.engine.vsm.partition import Partition

VTL0, VTL1 = Caller(0, 0), Caller(0, 1)


def send(
    guest: Partition, caller: Caller, vector: int = 0x40, vtl: int = 0, mask: int = 0b11, padding: int = 0
) -> HvStatus:
    header = SendSyntheticClusterIpi(vector, vtl, (padding, 0, 0), mask)
    return guest.call(CallCode.SendSyntheticClusterIpi, header, caller=caller, fast=True).status


def waiting(guest: Partition) -> list[list[list[int]]]:
    """By processor and VTL."""
    return [[sorted(vtl.requested) for vtl in vp.vtls[:2]] for vp in guest.partition.vps]


@pytest.mark.parametrize("vector", [0x10, 0xFF])
def test_it_waits_for_each_processor_of_the_mask(vector: int) -> None:
    guest = Partition(vps=3)
    assert send(guest, VTL0, vector, mask=0b101) is HvStatus.SUCCESS
    assert waiting(guest) == [[[vector], []], [[], []], [[vector], []]]


def test_without_a_target_it_is_for_the_callers_vtl() -> None:
    guest = Partition().enable(1)
    assert send(guest, VTL1, mask=0b10) is HvStatus.SUCCESS
    assert waiting(guest) == [[[], []], [[], [0x40]]]


def test_a_vtl_may_interrupt_a_lower_one() -> None:
    guest = Partition().enable(1)
    assert send(guest, VTL1, vtl=0x10, mask=0b1) is HvStatus.SUCCESS
    assert waiting(guest) == [[[0x40], []], [[], []]]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"vector": 0x0F}, HvStatus.INVALID_PARAMETER),
        ({"vector": 0x100}, HvStatus.INVALID_PARAMETER),
        ({"padding": 1}, HvStatus.INVALID_PARAMETER),
        ({"vtl": 0x20}, HvStatus.INVALID_PARAMETER),
        ({"mask": 0b101}, HvStatus.INVALID_PARAMETER),
        ({"vtl": 0x11}, HvStatus.ACCESS_DENIED),
    ],
    ids=["vector", "wide vector", "padding", "reserved", "no such processor", "higher VTL"],
)
def test_what_is_refused_interrupts_nobody(fields: dict[str, int], status: HvStatus) -> None:
    guest = Partition().enable(1)
    assert send(guest, VTL0, **fields) is status
    assert waiting(guest) == [[[], []]] * 2


def test_a_vtl_that_one_of_them_has_not_is_refused_for_all() -> None:
    guest = Partition().enable(1)
    guest.partition = guest.partition.with_vp_vtl(1, 1, lambda old: type(old)())
    assert send(guest, VTL1) is HvStatus.INVALID_VTL_STATE
    assert waiting(guest) == [[[], []]] * 2

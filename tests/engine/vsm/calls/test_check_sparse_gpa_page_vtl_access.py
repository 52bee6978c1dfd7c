"""Asking what a VTL may do, without doing it."""

import pytest

from engine.abi.tlfs.interface import PARTITION_ID_SELF, CallCode
from engine.abi.tlfs.parameters import CheckSparseGpaPageVtlAccess, GpaPage
from engine.abi.tlfs.status import HvStatus
from engine.model.rights import Rights
from engine.vsm.control import ResultValue
from engine.vsm.dispatch import Served
from engine.vsm.view import Caller
from tests.engine.vsm.partition import Partition


def ask(guest: Partition, access: int, *gfns: int, vtl: int = 0x10, caller: int = 1, **header: int) -> Served:
    fields = {"partition_id": PARTITION_ID_SELF, "target_vtl": vtl, "desired_access": access} | header
    elements = [GpaPage(gfn) for gfn in gfns]
    return guest.call(
        CallCode.CheckSparseGpaPageVtlAccess, CheckSparseGpaPageVtlAccess(**fields), elements, Caller(0, caller)
    )


def results(guest: Partition, count: int) -> list[tuple[int, int, int]]:
    """(code, denied access, intercepting VTL) of each page."""
    data = guest.output(8 * count)
    return [(data[at], data[at + 1], data[at + 2] & 0xF) for at in range(0, 8 * count, 8)]


def test_each_page_is_answered_with_what_is_denied_and_by_whom() -> None:
    guest = Partition(maximum_vtl=2).enable(1, 2)
    guest.masks = {(1, 0, 0x50): Rights.R, (2, 0, 0x51): Rights.NONE}
    served = ask(guest, 0x7, 0x50, 0x51, 0x52, caller=2)
    assert ResultValue.decode(served.rax) == ResultValue(HvStatus.SUCCESS, 3)
    assert results(guest, 3) == [(1, 0x6, 1), (1, 0x7, 2), (0, 0, 0)]


def test_no_vtl_is_bound_by_its_own_mask() -> None:
    guest = Partition().enable(1)
    guest.masks = {(1, 0, 0x50): Rights.NONE}
    ask(guest, 0xF, 0x50, vtl=0x11)
    assert results(guest, 1) == [(0, 0, 0)]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"partition_id": 1}, HvStatus.INVALID_PARTITION_ID),
        ({"vtl": 0x12}, HvStatus.ACCESS_DENIED),
        ({"vtl": 0x20}, HvStatus.INVALID_PARAMETER),
        ({"access": 0x10}, HvStatus.INVALID_PARAMETER),
        ({"caller": 0}, HvStatus.SUCCESS),
    ],
)
def test_what_is_refused(fields: dict[str, int], status: HvStatus) -> None:
    asked = {"access": 1, "vtl": 0x10, "caller": 1} | fields
    assert ask(Partition().enable(1), asked.pop("access"), 0x50, **asked).status is status


def test_a_page_that_is_no_ram_ends_the_call_where_it_stands() -> None:
    assert ResultValue.decode(ask(Partition().enable(1), 1, 1, 2, 0x100).rax) == ResultValue(
        HvStatus.INVALID_PARAMETER, 2
    )

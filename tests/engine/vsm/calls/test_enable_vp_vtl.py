"""Which processors get a context in a VTL, from whom, and with which registers."""

import pytest
from msgspec.structs import replace

from engine.abi import x86
from engine.abi.tlfs.interface import PARTITION_ID_SELF, VP_INDEX_SELF, CallCode
from engine.abi.tlfs.parameters import EnableVpVtl
from engine.abi.tlfs.status import HvStatus
from engine.vsm import effects
from engine.vsm.context import InitialContext, encode_context
from engine.vsm.view import Caller
from tests.engine.vsm.partition import LONG_MODE, Partition

OK, DENIED, PARAMETER = HvStatus.SUCCESS, HvStatus.ACCESS_DENIED, HvStatus.INVALID_PARAMETER


def enable(
    guest: Partition, vp: int = VP_INDEX_SELF, vtl: int = 1, caller: Caller | None = None, context: object = LONG_MODE
) -> HvStatus:
    assert isinstance(context, InitialContext)
    header = EnableVpVtl(PARTITION_ID_SELF, vp, vtl, context=encode_context(context))
    return guest.call(CallCode.EnableVpVtl, header, caller=caller or Caller(0, 0)).status


def available(maximum_vtl: int = 1, *vtls: int) -> Partition:
    """VTLs enabled for the partition, on no processor yet."""
    guest = Partition(vps=3, maximum_vtl=maximum_vtl)
    for vtl in vtls or (1,):
        guest.partition = guest.partition.with_vtl(vtl, lambda old: replace(old, enabled=True))
    return guest


def test_the_context_is_taken_and_the_active_vtl_stays() -> None:
    guest = available()
    assert enable(guest) is OK
    assert guest.effects == [effects.EnableVpVtl(0, 1, LONG_MODE)]
    assert (guest.partition.vps[0].enabled_vtls, guest.partition.vps[0].active_vtl) == ([0, 1], 0)


@pytest.mark.parametrize(
    ("vp", "vtl", "status"),
    [
        (3, 1, HvStatus.INVALID_VP_INDEX),
        (0xFFFF_FFFF, 1, HvStatus.INVALID_VP_INDEX),
        (0, 0, PARAMETER),
        (0, 2, PARAMETER),
        (0, 255, PARAMETER),
    ],
)
def test_what_is_refused(vp: int, vtl: int, status: HvStatus) -> None:
    assert enable(available(), vp, vtl) is status


def test_the_partition_comes_first() -> None:
    assert enable(Partition()) is HvStatus.INVALID_VTL_STATE


def test_once_a_processor_has_the_vtl_only_the_vtl_itself_gives_it_to_others() -> None:
    guest = available()
    assert enable(guest) is OK
    assert [enable(guest, 1, caller=Caller(1, 0)), enable(guest, 1, caller=Caller(0, 1))] == [DENIED, OK]


def test_a_second_time_is_an_error() -> None:
    guest = available()
    enable(guest)
    assert enable(guest, caller=Caller(0, 1)) is HvStatus.VTL_ALREADY_ENABLED


def test_no_vtl_in_between_may_be_passed_over() -> None:
    guest = available(2, 1, 2)
    assert [enable(guest, vtl=2), enable(guest, vtl=2, caller=Caller(0, 1))] == [DENIED, OK]


@pytest.mark.parametrize(
    "fields",
    [
        {"cr0": 0},
        {"cr0": x86.CR0_PG},
        {"efer": x86.EFER_LMA},
        {"efer": x86.EFER_LME},
        {"cr4": 0},
        {"rflags": 0},
    ],
)
def test_a_context_that_no_processor_can_begin_with(fields: dict[str, int]) -> None:
    assert enable(available(), context=replace(LONG_MODE, **fields)) is HvStatus.INVALID_REGISTER_VALUE

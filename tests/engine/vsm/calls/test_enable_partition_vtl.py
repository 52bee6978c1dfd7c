"""Which VTLs a partition may make available to itself, and from where."""

import pytest
from msgspec.structs import replace

from engine.abi.tlfs.interface import PARTITION_ID_SELF, CallCode
from engine.abi.tlfs.parameters import EnablePartitionVtl
from engine.abi.tlfs.status import HvStatus
from engine.vsm.profile import OPENVMM, TLFS
from engine.vsm.view import Caller
from tests.engine.vsm.partition import Partition

OK, DENIED, PARAMETER = HvStatus.SUCCESS, HvStatus.ACCESS_DENIED, HvStatus.INVALID_PARAMETER


def enable(guest: Partition, vtl: int, caller: int = 0, **header: int) -> HvStatus:
    fields = {"partition_id": PARTITION_ID_SELF, "target_vtl": vtl} | header
    return guest.call(CallCode.EnablePartitionVtl, EnablePartitionVtl(**fields), caller=Caller(0, caller)).status


def test_vtl0_enables_vtl1_with_mbec_or_without() -> None:
    plain, mbec = Partition(), Partition(mbec=True)
    assert [enable(plain, 1), enable(mbec, 1, enable_mbec=1)] == [OK, OK]
    assert [guest.partition.vtls[1].mbec for guest in (plain, mbec)] == [False, True]
    assert plain.partition.enabled_vtls == [0, 1]
    assert plain.partition.vps[0].enabled_vtls == [0]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"vtl": 1, "partition_id": 42}, HvStatus.INVALID_PARTITION_ID),
        ({"vtl": 0}, PARAMETER),
        ({"vtl": 3}, PARAMETER),
        ({"vtl": 255}, PARAMETER),
        ({"vtl": 1, "reserved": 1}, PARAMETER),
        ({"vtl": 1, "enable_mbec": 1}, PARAMETER),
    ],
)
def test_what_is_refused(fields: dict[str, int], status: HvStatus) -> None:
    guest = Partition(maximum_vtl=2)
    assert enable(guest, **fields) is status
    assert guest.partition.enabled_vtls == [0]


def test_only_the_highest_vtl_below_enables_a_higher_one() -> None:
    guest = Partition(maximum_vtl=3)
    assert [enable(guest, 2), enable(guest, 3), enable(guest, 3, caller=2)] == [OK, DENIED, OK]
    assert guest.partition.enabled_vtls == [0, 2, 3]


def test_a_lower_one_may_always_be_enabled_and_each_only_once() -> None:
    guest = Partition(maximum_vtl=3)
    enable(guest, 3)
    assert [enable(guest, 1, caller=3), enable(guest, 1, caller=3)] == [OK, HvStatus.VTL_ALREADY_ENABLED]


def test_access_vsm_is_needed() -> None:
    guest = Partition()
    guest.partition = replace(guest.partition, privileges=0)
    assert enable(guest, 1) is DENIED


def test_profiles_differ_on_vtl0() -> None:
    assert [enable(Partition(profile), 0) for profile in (TLFS, OPENVMM)] == [PARAMETER, DENIED]

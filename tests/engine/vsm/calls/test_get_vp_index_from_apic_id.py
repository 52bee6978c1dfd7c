"""Processor numbers from APIC ids, with elements of either size."""

import ctypes

import pytest
from msgspec.structs import replace

from engine.abi.tlfs.interface import PARTITION_ID_SELF, CallCode
from engine.abi.tlfs.parameters import Index, PaddedIndex, VpIndexFromApicId
from engine.abi.tlfs.status import HvStatus
from engine.vsm.control import ResultValue
from engine.vsm.dispatch import Served
from engine.vsm.profile import OPENVMM, TLFS, Profile
from tests.engine.vsm.partition import Partition

APIC_IDS = (4, 9, 2)


def partition(profile: Profile) -> Partition:
    guest = Partition(profile, vps=3)
    for vp, apic_id in enumerate(APIC_IDS):
        guest.partition = guest.partition.with_vp(vp, lambda old, number=apic_id: replace(old, apic_id=number))
    return guest


def ask(guest: Partition, *apic_ids: int, vtl: int = 0, partition_id: int = PARTITION_ID_SELF) -> Served:
    layout = PaddedIndex if guest.profile.padded_index else Index
    header = VpIndexFromApicId(partition_id, vtl)
    return guest.call(CallCode.GetVpIndexFromApicId, header, [layout(number) for number in apic_ids])


@pytest.mark.parametrize(("profile", "layout"), [(TLFS, PaddedIndex), (OPENVMM, Index)], ids=["8 bytes", "4 bytes"])
def test_each_element_is_answered(profile: Profile, layout: type[ctypes.LittleEndianStructure]) -> None:
    guest = partition(profile)
    assert ResultValue.decode(ask(guest, 2, 4, 9).rax) == ResultValue(HvStatus.SUCCESS, 3)
    size = ctypes.sizeof(layout)
    found = guest.output(3 * size)
    assert [int.from_bytes(found[at : at + 4], "little") for at in range(0, 3 * size, size)] == [2, 0, 1]


def test_an_unknown_id_ends_the_call_where_it_stands() -> None:
    assert ResultValue.decode(ask(partition(TLFS), 9, 4, 7, 2).rax) == ResultValue(HvStatus.INVALID_PARAMETER, 2)


@pytest.mark.parametrize(
    ("fields", "status"),
    [({"partition_id": 1}, HvStatus.INVALID_PARTITION_ID), ({"vtl": 1}, HvStatus.ACCESS_DENIED)],
)
def test_what_is_refused(fields: dict[str, int], status: HvStatus) -> None:
    assert ask(partition(TLFS), 4, **fields).status is status

"""Starting a processor that does not run yet."""

import pytest
from msgspec.structs import replace

from engine.abi.tlfs.interface import PARTITION_ID_SELF, CallCode
from engine.abi.tlfs.parameters import StartVirtualProcessor
from engine.abi.tlfs.registers import VsmPartitionConfig
from engine.abi.tlfs.status import HvStatus
from engine.vsm import effects
from engine.vsm.context import encode_context
from engine.vsm.layout import bits
from engine.vsm.view import Caller
from tests.engine.vsm.partition import LONG_MODE, Partition


def start(
    guest: Partition, vp: int = 1, vtl: int = 0, caller: int = 0, partition_id: int = PARTITION_ID_SELF
) -> HvStatus:
    header = StartVirtualProcessor(partition_id, vp, vtl, context=encode_context(LONG_MODE))
    return guest.call(CallCode.StartVirtualProcessor, header, caller=Caller(0, caller)).status


def test_it_starts_in_the_vtl_that_is_named() -> None:
    guest = Partition().enable(1)
    assert start(guest, vtl=1, caller=1) is HvStatus.SUCCESS
    assert guest.effects == [effects.StartVp(1, 1, LONG_MODE)]
    assert (guest.partition.vps[1].started, guest.partition.vps[1].active_vtl) == (True, 1)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"partition_id": 7}, HvStatus.INVALID_PARTITION_ID),
        ({"vp": 2}, HvStatus.INVALID_VP_INDEX),
        ({"vtl": 1}, HvStatus.ACCESS_DENIED),
        ({"vtl": 255}, HvStatus.ACCESS_DENIED),
        ({"vtl": 1, "caller": 1}, HvStatus.INVALID_VTL_STATE),
        ({"vp": 0}, HvStatus.INVALID_VP_STATE),
    ],
)
def test_what_is_refused(fields: dict[str, int], status: HvStatus) -> None:
    assert start(Partition(), **fields) is status


def test_a_processor_starts_once() -> None:
    guest = Partition()
    assert [start(guest), start(guest)] == [HvStatus.SUCCESS, HvStatus.INVALID_VP_STATE]


def test_a_higher_vtl_may_deny_it_to_lower_ones() -> None:
    """DenyLowerVtlStartup; the VTL itself still may."""
    guest = Partition().enable(1)
    deny = bits(VsmPartitionConfig, deny_lower_vtl_startup=1)
    guest.partition = guest.partition.with_vtl(1, lambda old: replace(old, config=old.config | deny))
    assert [start(guest), start(guest, caller=1)] == [HvStatus.ACCESS_DENIED, HvStatus.SUCCESS]


def test_the_privilege_is_needed() -> None:
    guest = Partition()
    guest.partition = replace(guest.partition, privileges=0)
    assert start(guest) is HvStatus.ACCESS_DENIED

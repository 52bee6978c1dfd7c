"""A message may be sent to a connection, of which there are none."""

import pytest
from msgspec.structs import replace

from engine.abi.tlfs.interface import CallCode
from engine.abi.tlfs.parameters import PostMessage
from engine.abi.tlfs.status import HvStatus
from tests.engine.vsm.partition import Partition

FIELDS = {"connection_id": 1, "message_type": 1, "payload_size": 240}


def post(guest: Partition, **fields: int) -> HvStatus:
    return guest.call(CallCode.PostMessage, PostMessage(**FIELDS | fields)).status


def test_there_is_no_connection() -> None:
    assert [post(Partition(), connection_id=number) for number in (0, 1)] == [HvStatus.INVALID_CONNECTION_ID] * 2


@pytest.mark.parametrize(
    "fields",
    [{"message_type": 0}, {"message_type": 1 << 31}, {"payload_size": 241}, {"rsvdz": (1, 0, 0, 0)}],
)
def test_what_is_no_message(fields: dict[str, int]) -> None:
    assert post(Partition(), **fields) is HvStatus.INVALID_PARAMETER


def test_post_messages_is_needed() -> None:
    guest = Partition()
    guest.partition = replace(guest.partition, privileges=0)
    assert post(guest, message_type=0) is HvStatus.ACCESS_DENIED

"""An event may be signalled to a connection, of which there are none."""

from msgspec.structs import replace

from engine.abi.tlfs.interface import CallCode
from engine.abi.tlfs.parameters import SignalEvent
from engine.abi.tlfs.status import HvStatus
from tests.engine.vsm.partition import Partition


def signal(guest: Partition, **fields: object) -> HvStatus:
    return guest.call(CallCode.SignalEvent, SignalEvent(**fields)).status


def test_there_is_no_connection() -> None:
    assert signal(Partition(), connection_id=1, flag_number=2) is HvStatus.INVALID_CONNECTION_ID


def test_what_must_be_zero() -> None:
    assert signal(Partition(), connection_id=1, rsvdz=(1, 0)) is HvStatus.INVALID_PARAMETER


def test_signal_events_is_needed() -> None:
    guest = Partition()
    guest.partition = replace(guest.partition, privileges=0)
    assert signal(guest, rsvdz=(1, 0)) is HvStatus.ACCESS_DENIED

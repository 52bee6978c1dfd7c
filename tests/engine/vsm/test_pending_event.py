"""HvRegisterPendingEvent0: which exceptions a VTL may have itself or a lower one take."""

import pytest

from engine.abi.tlfs.interface import PARTITION_ID_SELF, VP_INDEX_SELF, CallCode
from engine.abi.tlfs.parameters import RegisterAssociation, RegisterNameElement, VpRegistersHeader
from engine.abi.tlfs.processor import PendingEventType, PendingExceptionEvent
from engine.abi.tlfs.registers import RegisterName as Name
from engine.abi.tlfs.status import HvStatus
from engine.vsm.layout import bits
from engine.vsm.view import Caller
from tests.engine.vsm.partition import Partition

PAGE_FAULT = bits(
    PendingExceptionEvent, event_pending=1, deliver_error_code=1, vector=14, error_code=3, exception_parameter=0x1234
)


def write(guest: Partition, value: int, caller: Caller, vtl: int) -> HvStatus:
    header = VpRegistersHeader(PARTITION_ID_SELF, VP_INDEX_SELF, 0x10 | vtl)
    element = RegisterAssociation(Name.PENDING_EVENT0, (0,) * 12, value & 2**64 - 1, value >> 64)
    return guest.call(CallCode.SetVpRegisters, header, [element], caller).status


@pytest.fixture
def guest() -> Partition:
    return Partition().enable(1)


def test_it_waits_in_the_vtl_that_is_to_take_it_all_128_bits(guest) -> None:
    assert write(guest, PAGE_FAULT, Caller(0, 1), 0) is HvStatus.SUCCESS
    vtls = guest.partition.vps[0].vtls
    assert (vtls[0].pending_event, vtls[1].pending_event) == (PAGE_FAULT, 0)
    header = VpRegistersHeader(PARTITION_ID_SELF, VP_INDEX_SELF, 0x10)
    guest.call(CallCode.GetVpRegisters, header, [RegisterNameElement(Name.PENDING_EVENT0)], Caller(0, 1))
    assert guest.output(16) == PAGE_FAULT.to_bytes(16, "little")


def test_one_that_is_not_pending_takes_it_back(guest) -> None:
    write(guest, PAGE_FAULT, Caller(0, 1), 0)
    assert write(guest, PAGE_FAULT - 1, Caller(0, 1), 0) is HvStatus.SUCCESS
    assert guest.partition.vps[0].vtls[0].pending_event == 0


def test_a_lower_vtl_may_not(guest) -> None:
    assert write(guest, PAGE_FAULT, Caller(0, 0), 1) is HvStatus.ACCESS_DENIED


@pytest.mark.parametrize(
    "fields",
    [{"vector": vector} for vector in (2, 3, 4, 32, 0xFFFF)]
    + [{"event_type": int(kind)} for kind in PendingEventType if kind]
    + [{"reserved0": 1}, {"reserved1": 1}],
    ids=str,
)
def test_what_is_no_exception_from_outside_is_refused(guest, fields) -> None:
    value = bits(PendingExceptionEvent, **{"event_pending": 1, "vector": 13, **fields})
    assert write(guest, value, Caller(0, 1), 0) is HvStatus.INVALID_REGISTER_VALUE
    assert guest.partition.vps[0].vtls[0].pending_event == 0

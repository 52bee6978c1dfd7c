"""Reading and writing registers of a processor in a VTL."""

import pytest
from msgspec.structs import replace

from engine.abi.tlfs.interface import PARTITION_ID_SELF, VP_INDEX_SELF, CallCode
from engine.abi.tlfs.parameters import RegisterAssociation, RegisterNameElement, VpRegistersHeader
from engine.abi.tlfs.registers import RegisterName as Name
from engine.abi.tlfs.status import HvStatus
from engine.vsm.control import ResultValue
from engine.vsm.dispatch import Served
from engine.vsm.effects import SetPartitionConfig, SetRegister
from engine.vsm.profile import OPENVMM
from engine.vsm.state import RESET_CONFIG
from engine.vsm.view import Caller
from tests.engine.vsm.partition import Partition

OK, PARAMETER, BAD = HvStatus.SUCCESS, HvStatus.INVALID_PARAMETER, HvStatus.INVALID_REGISTER_VALUE


def header(vtl: int = 0, vp: int = VP_INDEX_SELF, partition_id: int = PARTITION_ID_SELF) -> VpRegistersHeader:
    return VpRegistersHeader(partition_id, vp, vtl)


def get(guest: Partition, *names: int, caller: int = 0, **fields: int) -> Served:
    elements = [RegisterNameElement(name) for name in names]
    return guest.call(CallCode.GetVpRegisters, header(**fields), elements, Caller(0, caller))


def set_(guest: Partition, values: list[tuple[int, int]], caller: int = 0, **fields: int) -> Served:
    elements = [RegisterAssociation(name, (0,) * 12, value & (1 << 64) - 1, value >> 64) for name, value in values]
    return guest.call(CallCode.SetVpRegisters, header(**fields), elements, Caller(0, caller))


def test_values_come_as_16_bytes_each() -> None:
    guest = Partition()
    guest.registers |= {(0, 0, Name.RIP): 0x1234, (0, 0, Name.CS): 0xAAAA << 64 | 0xBBBB}
    assert ResultValue.decode(get(guest, Name.RIP, Name.CS, Name.VP_INDEX).rax) == ResultValue(OK, 3)
    found = guest.output(48)
    assert [int.from_bytes(found[at : at + 16], "little") for at in (0, 16, 32)] == [0x1234, 0xAAAA << 64 | 0xBBBB, 0]


def test_writing_is_an_effect() -> None:
    guest = Partition()
    served = set_(guest, [(Name.RAX, 5), (Name.CR2, 6)], vp=1)
    assert ResultValue.decode(served.rax) == ResultValue(OK, 2)
    assert guest.effects == [SetRegister(1, 0, Name.RAX, 5), SetRegister(1, 0, Name.CR2, 6)]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"partition_id": 42}, HvStatus.INVALID_PARTITION_ID),
        ({"vp": 2}, HvStatus.INVALID_VP_INDEX),
        ({"vtl": 0x11}, HvStatus.ACCESS_DENIED),
        ({"vtl": 0x1F}, HvStatus.ACCESS_DENIED),
        ({"vtl": 0x11, "caller": 1}, HvStatus.INVALID_VTL_STATE),
        ({"vtl": 0x80}, PARAMETER),
        ({"vtl": 0x01}, OK),
    ],
)
def test_who_may_read_and_write_what(fields: dict[str, int], status: HvStatus) -> None:
    guest = Partition()
    assert [get(guest, Name.RIP, **fields).status, set_(guest, [(Name.RIP, 1)], **fields).status] == [status] * 2


def test_openvmm_denies_another_partition() -> None:
    assert get(Partition(OPENVMM), Name.RIP, partition_id=42).status is HvStatus.ACCESS_DENIED


def test_the_privilege_is_needed() -> None:
    guest = Partition()
    guest.partition = replace(guest.partition, privileges=0)
    assert get(guest, Name.RIP).status is HvStatus.ACCESS_DENIED


def test_an_unknown_register_ends_the_call_where_it_stands() -> None:
    guest = Partition()
    assert ResultValue.decode(get(guest, Name.RIP, 0x7777_7777, Name.RIP).rax) == ResultValue(PARAMETER, 1)
    assert ResultValue.decode(set_(guest, [(Name.RIP, 1), (0x7777_7777, 0)]).rax) == ResultValue(PARAMETER, 1)
    assert guest.effects == [SetRegister(0, 0, Name.RIP, 1)]


@pytest.mark.parametrize("name", [Name.VSM_VP_STATUS, Name.VSM_PARTITION_STATUS, Name.VSM_CAPABILITIES, Name.VP_INDEX])
def test_a_read_only_register_stays(name: Name) -> None:
    assert set_(Partition(), [(name, 1)]).status is PARAMETER


def test_bits_beyond_a_registers_size() -> None:
    assert set_(Partition(), [(Name.RIP, 1 << 64)]).status is BAD
    assert set_(Partition(), [(Name.CS, 1 << 64)]).status is OK
    assert set_(Partition(), [(Name.GUEST_OS_ID, 1 << 64)]).status is BAD


def test_reserved_bytes_of_an_element() -> None:
    element = RegisterAssociation(Name.RIP, (0,) * 11 + (1,))
    assert Partition().call(CallCode.SetVpRegisters, header(), [element]).status is PARAMETER


def test_each_rep_sees_those_before_it() -> None:
    """Write once: the second write in the same call is too late."""
    guest = Partition().enable(1, protects=False)
    protect = RESET_CONFIG | 1
    served = set_(guest, [(Name.VSM_PARTITION_CONFIG, protect), (Name.VSM_PARTITION_CONFIG, RESET_CONFIG)], 1, vtl=0x11)
    assert ResultValue.decode(served.rax) == ResultValue(BAD, 1)
    assert guest.effects[0] == SetPartitionConfig(1, protect)

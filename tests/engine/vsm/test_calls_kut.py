"""The checks of the kvm-unit-tests for VSM (x86/hyperv_vsm.c) that need no running guest, by its own order."""

import pytest

from engine.abi.tlfs.interface import PARTITION_ID_SELF, VP_INDEX_SELF, CallCode
from engine.abi.tlfs.memory import TranslateCode
from engine.abi.tlfs.parameters import (
    EnablePartitionVtl,
    EnableVpVtl,
    RegisterAssociation,
    RegisterNameElement,
    TranslateVirtualAddress,
    VpRegistersHeader,
)
from engine.abi.tlfs.registers import RegisterName as Name
from engine.abi.tlfs.status import HvStatus
from engine.vsm.context import encode_context
from engine.vsm.profile import KUT_VSM, TLFS
from engine.vsm.state import RESET_CONFIG
from engine.vsm.view import Caller
from tests.engine.vsm.partition import LONG_MODE, PAGES, Partition

VTL0, VTL1 = Caller(0, 0), Caller(0, 1)


@pytest.fixture
def guest() -> Partition:
    return Partition(KUT_VSM)


def get(guest: Partition, *names: int, vp: int = VP_INDEX_SELF, vtl: int = 0, fast: bool = False) -> HvStatus:
    header = VpRegistersHeader(PARTITION_ID_SELF, vp, vtl)
    return guest.call(CallCode.GetVpRegisters, header, [RegisterNameElement(name) for name in names], fast=fast).status


def value(guest: Partition, name: int) -> int:
    assert get(guest, name) is HvStatus.SUCCESS
    return int.from_bytes(guest.output(16), "little")


def partition_vtl(guest: Partition, vtl: int, partition_id: int = PARTITION_ID_SELF, mbec: int = 0) -> HvStatus:
    return guest.call(CallCode.EnablePartitionVtl, EnablePartitionVtl(partition_id, vtl, mbec)).status


def vp_vtl(
    guest: Partition, vtl: int, vp: int = 0, partition_id: int = PARTITION_ID_SELF, caller: Caller = VTL0
) -> HvStatus:
    header = EnableVpVtl(partition_id, vp, vtl, context=encode_context(LONG_MODE))
    return guest.call(CallCode.EnableVpVtl, header, caller=caller).status


def test_1_bad_vp_index(guest: Partition) -> None:
    assert get(guest, Name.RIP, vp=99) is HvStatus.INVALID_VP_INDEX


def test_2_bad_vtl(guest: Partition) -> None:
    assert get(guest, Name.RIP, vtl=0x1F) is not HvStatus.SUCCESS


def test_3_registers_of_vtl1_from_vtl0(guest: Partition) -> None:
    assert get(guest.enable(1), Name.RIP, vtl=0x11) is HvStatus.ACCESS_DENIED


def test_4_bad_register(guest: Partition) -> None:
    assert get(guest, 0xFFFF_FFFF) is HvStatus.INVALID_PARAMETER


def test_5_no_registers(guest: Partition) -> None:
    """The one check that contradicts TLFS, which the default profile follows."""
    assert get(guest) is HvStatus.SUCCESS
    assert get(Partition(TLFS)) is HvStatus.INVALID_HYPERCALL_INPUT


def test_6_more_names_than_xmm_registers_hold(guest: Partition) -> None:
    assert [get(guest, *[Name.RIP] * count, fast=True) is HvStatus.SUCCESS for count in (4, 5)] == [True, False]


def test_7_enable_partition_vtl_of_another_partition(guest: Partition) -> None:
    assert partition_vtl(guest, 1, partition_id=42) is HvStatus.INVALID_PARTITION_ID


@pytest.mark.parametrize(("vtl", "mbec"), [(0, 0), (2, 0), (1, 1)])
def test_8_enable_partition_vtl_of_what_there_is_not(guest: Partition, vtl: int, mbec: int) -> None:
    assert partition_vtl(guest, vtl, mbec=mbec) is HvStatus.INVALID_PARAMETER


def test_9_enable_vp_vtl_of_what_there_is_not(guest: Partition) -> None:
    partition_vtl(guest, 1)
    assert vp_vtl(guest, 1, partition_id=42) is HvStatus.INVALID_PARTITION_ID
    assert vp_vtl(guest, 1, vp=0xFFFF_FFFF) is HvStatus.INVALID_VP_INDEX
    assert vp_vtl(guest, 0) is HvStatus.INVALID_PARAMETER


def test_10_only_vtl0_at_first(guest: Partition) -> None:
    assert value(guest, Name.VSM_VP_STATUS) == 0b1 << 16
    assert value(guest, Name.VSM_PARTITION_STATUS) & 0xFFFF == 0b1


def test_11_both_after_enabling_and_no_other_processor_helps_itself(guest: Partition) -> None:
    assert [partition_vtl(guest, 1), vp_vtl(guest, 1)] == [HvStatus.SUCCESS] * 2
    assert value(guest, Name.VSM_VP_STATUS) == 0b11 << 16
    assert value(guest, Name.VSM_PARTITION_STATUS) & 0xFFFF == 0b11
    assert vp_vtl(guest, 1, vp=1, caller=Caller(1, 0)) is HvStatus.ACCESS_DENIED
    assert vp_vtl(guest, 1, vp=1, caller=VTL1) is HvStatus.SUCCESS


def test_15_a_default_mask_stays(guest: Partition) -> None:
    guest.enable(1)
    header = VpRegistersHeader(PARTITION_ID_SELF, VP_INDEX_SELF, 0x11)
    element = RegisterAssociation(Name.VSM_PARTITION_CONFIG, (0,) * 12, 0b1 | 0x3 << 1)
    assert guest.call(CallCode.SetVpRegisters, header, [element], VTL1).status is not HvStatus.SUCCESS
    assert guest.partition.vtls[1].config == RESET_CONFIG | 1


@pytest.mark.parametrize(
    ("page", "code", "overlay"),
    [(0x80, TranslateCode.SUCCESS, 0), (PAGES, TranslateCode.GPA_UNMAPPED, 0), (7, TranslateCode.SUCCESS, 1)],
)
def test_20_translate(guest: Partition, page: int, code: TranslateCode, overlay: int) -> None:
    """Paging off: a page of RAM, one beyond it, and the hypercall page."""
    guest.registers[0, 0, Name.CR0] = 1
    names = [(Name.GUEST_OS_ID, 1), (Name.HYPERCALL, 0x7001)]
    elements = [RegisterAssociation(name, (0,) * 12, low) for name, low in names]
    guest.call(CallCode.SetVpRegisters, VpRegistersHeader(PARTITION_ID_SELF, VP_INDEX_SELF), elements)
    header = TranslateVirtualAddress(PARTITION_ID_SELF, VP_INDEX_SELF, 0, 1, page)
    assert guest.call(CallCode.TranslateVirtualAddress, header).status is HvStatus.SUCCESS
    assert (guest.output(1)[0], guest.output(6)[5] & 1) == (code, overlay)

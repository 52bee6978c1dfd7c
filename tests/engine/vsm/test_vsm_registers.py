"""The rules of each VSM register."""

import pytest
from msgspec.structs import replace

from engine.abi.tlfs.interface import MSR_HYPERCALL
from engine.abi.tlfs.registers import RegisterName as Name
from engine.abi.tlfs.status import HvStatus
from engine.model.rights import Rights
from engine.vsm import effects
from engine.vsm.profile import OPENVMM, TLFS, Profile
from engine.vsm.state import RESET_CONFIG
from engine.vsm.vsm_registers import RULES
from tests.engine.vsm.partition import Partition

BAD, PARAMETER = HvStatus.INVALID_REGISTER_VALUE, HvStatus.INVALID_PARAMETER
PROTECT = RESET_CONFIG | 1


def read(guest: Partition, name: int, vtl: int = 0, vp: int = 0) -> object:
    return RULES[name].read(guest, vp, vtl)


def write(guest: Partition, name: int, value: int, vtl: int = 1, vp: int = 0) -> object:
    """The status of a refusal, or what the register then reads as."""
    rule = RULES[name].write
    assert rule is not None
    changes = rule(guest, vp, vtl, value)
    if isinstance(changes, HvStatus):
        return changes
    guest.perform(changes)
    return read(guest, name, vtl, vp)


def test_status_at_start() -> None:
    guest = Partition(maximum_vtl=2)
    assert read(guest, Name.VSM_VP_STATUS) == 1 << 16
    assert read(guest, Name.VSM_PARTITION_STATUS) == 1 | 2 << 16
    assert read(guest, Name.GUEST_VSM_PARTITION_CONFIG) == 2


def test_status_with_mbec_and_another_active_vtl() -> None:
    guest = Partition(mbec=True).enable(1, mbec=True)
    write(guest, Name.VSM_VP_SECURE_CONFIG_VTL0, 1)
    assert read(guest, Name.VSM_VP_STATUS) == 0b11 << 16 | 1 << 4
    assert read(guest, Name.VSM_PARTITION_STATUS) == 0b11 | 1 << 16 | 0b10 << 20
    guest.perform([effects.SwitchVtl(0, 1)])
    assert read(guest, Name.VSM_VP_STATUS) == 0b11 << 16 | 1


@pytest.mark.parametrize(
    ("profile", "value"),
    [(TLFS, 1 << 63 | 0b110 << 47 | 1 << 46), (OPENVMM, 1 | 0b110 << 1 | 1 << 17)],
    ids=["from bit 63 down", "from bit 0 up"],
)
def test_capabilities(profile: Profile, value: int) -> None:
    guest = Partition(profile, maximum_vtl=2, mbec=True)
    guest.partition = replace(guest.partition, dr6_shared=True)
    assert read(guest, Name.VSM_CAPABILITIES) == value


def test_code_page_offsets() -> None:
    guest = Partition()
    guest.partition = replace(guest.partition, code_page_offsets=(0x40, 0x80))
    assert read(guest, Name.VSM_CODE_PAGE_OFFSETS) == 0x40 | 0x80 << 12


CONFIGS = [
    (PROTECT, PROTECT),
    (RESET_CONFIG, RESET_CONFIG),
    (RESET_CONFIG | 1 << 6, RESET_CONFIG | 1 << 6),
    (0b1 | 0x3 << 1, 0b1 | 0x3 << 1),
    (0b1 | 0x1 << 1, BAD),
    (0b1, BAD),
    (0b1 | 0x7 << 1, BAD),
    (PROTECT | 1 << 7, BAD),
    (PROTECT | 1 << 9, BAD),
    (PROTECT | 1 << 63, BAD),
]


@pytest.mark.parametrize(("value", "expected"), CONFIGS)
def test_partition_config(value: int, expected: object) -> None:
    assert write(Partition().enable(1, protects=False), Name.VSM_PARTITION_CONFIG, value) == expected


def test_partition_config_is_none_of_vtl0s() -> None:
    guest = Partition()
    assert [read(guest, Name.VSM_PARTITION_CONFIG), write(guest, Name.VSM_PARTITION_CONFIG, PROTECT, vtl=0)] == [
        PARAMETER
    ] * 2


@pytest.mark.parametrize("value", [RESET_CONFIG, 0b1 | 0x3 << 1])
def test_protection_and_default_mask_are_written_once(value: int) -> None:
    guest = Partition().enable(1)
    assert write(guest, Name.VSM_PARTITION_CONFIG, value) is BAD
    assert read(guest, Name.VSM_PARTITION_CONFIG, vtl=1) == PROTECT


def test_other_bits_change_later() -> None:
    assert write(Partition().enable(1), Name.VSM_PARTITION_CONFIG, PROTECT | 1 << 6) == PROTECT | 1 << 6


def test_enabling_protection_sets_the_default_mask() -> None:
    guest = Partition().enable(1, protects=False)
    write(guest, Name.VSM_PARTITION_CONFIG, 0b1 | 0x3 << 1)
    assert guest.effects[1:] == [effects.SetDefaultMask(1, Rights.RW)]
    assert guest.partition.vtls[1].default_mask == Rights.RW


@pytest.mark.parametrize(
    ("name", "vtl", "value", "expected"),
    [
        (Name.VSM_VP_SECURE_CONFIG_VTL0, 1, 0b10, 0b10),
        (Name.VSM_VP_SECURE_CONFIG_VTL0, 1, 0b100, BAD),
        (Name.VSM_VP_SECURE_CONFIG_VTL0, 1, 0b01, BAD),
        (Name.VSM_VP_SECURE_CONFIG_VTL0 + 1, 1, 0b10, PARAMETER),
        (Name.VSM_VP_SECURE_CONFIG_VTL0 + 1, 2, 0b10, 0b10),
        (Name.VSM_VP_SECURE_CONFIG_VTL14, 2, 0, PARAMETER),
        (Name.VSM_VP_SECURE_CONFIG_VTL0, 0, 0, PARAMETER),
    ],
)
def test_secure_config(name: int, vtl: int, value: int, expected: object) -> None:
    """MBEC (bit 0) needs the partition's; a VTL configures lower ones only."""
    assert write(Partition(maximum_vtl=2).enable(1, 2), name, value, vtl) == expected


def test_a_tlb_lock_is_seen_from_the_lower_vtl() -> None:
    guest = Partition(maximum_vtl=2).enable(1, 2)
    write(guest, Name.VSM_VP_SECURE_CONFIG_VTL0, 0b10, vtl=2)
    assert [guest.partition.vps[0].tlb_locked(vtl) for vtl in (0, 1)] == [True, False]


def test_vina_has_a_vector_that_an_interrupt_can_have() -> None:
    guest = Partition().enable(1)
    assert write(guest, Name.VSM_VINA, 1 << 8 | 15) is BAD
    assert [write(guest, Name.VSM_VINA, value) for value in (15, 1 << 8 | 16)] == [15, 1 << 8 | 16]


def test_vina_keeps_all_bits_and_is_each_vtls_own() -> None:
    guest = Partition().enable(1)
    value = (1 << 64) - 1
    assert write(guest, Name.VSM_VINA, value) == value
    assert read(guest, Name.VSM_VINA, vtl=0) == read(guest, Name.VSM_VINA, vtl=1, vp=1) == 0


@pytest.mark.parametrize(
    ("value", "expected"), [(0x5001, 0x5001), (0x5FFF, 0x5FFF), (1 << 52 | 1, BAD), (1 << 52, 1 << 52)]
)
def test_assist_page(value: int, expected: object) -> None:
    assert write(Partition(), Name.VP_ASSIST_PAGE, value, vtl=0) == expected


def test_the_hypercall_page_needs_a_guest_os_id() -> None:
    guest = Partition()
    assert MSR_HYPERCALL == 0x4000_0001
    assert write(guest, Name.HYPERCALL, 0x7001, vtl=0) == 0x7000
    write(guest, Name.GUEST_OS_ID, 0x8100_0000_0000_0000, vtl=0)
    assert write(guest, Name.HYPERCALL, 0x7001, vtl=0) == 0x7001
    assert guest.partition.vtls[0].hypercall_page == 7


def test_a_zero_guest_os_id_takes_it_away() -> None:
    guest = Partition()
    write(guest, Name.GUEST_OS_ID, 1, vtl=0)
    write(guest, Name.HYPERCALL, 0x7001, vtl=0)
    write(guest, Name.GUEST_OS_ID, 0, vtl=0)
    assert guest.partition.vtls[0].hypercall_page is None


def test_a_locked_hypercall_page_stays() -> None:
    guest = Partition()
    write(guest, Name.GUEST_OS_ID, 1, vtl=0)
    write(guest, Name.HYPERCALL, 0x7003, vtl=0)
    assert write(guest, Name.HYPERCALL, 0x8001, vtl=0) is HvStatus.ACCESS_DENIED


def test_a_hypercall_page_beyond_the_gpa_space() -> None:
    assert write(Partition(), Name.HYPERCALL, 1 << 52 | 1, vtl=0) is BAD

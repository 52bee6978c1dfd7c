"""Who may set which masks on which pages, in both readings of the specification."""

import msgspec
import pytest

from engine.abi.tlfs.interface import PARTITION_ID_SELF, CallCode
from engine.abi.tlfs.parameters import GpaPage, ModifyVtlProtectionMask
from engine.abi.tlfs.status import HvStatus
from engine.model.rights import Rights
from engine.vsm.control import ResultValue
from engine.vsm.dispatch import Served
from engine.vsm.effects import SetMask
from engine.vsm.profile import OPENVMM, TLFS, Profile
from engine.vsm.protection import denied_by, effective
from engine.vsm.view import Caller
from tests.engine.vsm.partition import Partition

BAD = "refused"
R, W, KX, UX = Rights.R, Rights.W, Rights.KX, Rights.UX
MASKS: list[tuple[int, object, object, object]] = [
    # mask, openvmm without MBEC, tlfs without MBEC, either with MBEC
    (0x0, Rights.NONE, Rights.NONE, Rights.NONE),
    (0x1, R, R, R),
    (0x2, BAD, BAD, BAD),
    (0x3, R | W, R | W, R | W),
    (0x4, BAD, BAD, BAD),
    (0x5, BAD, R | KX | UX, BAD),
    (0x6, BAD, BAD, BAD),
    (0x7, BAD, R | W | KX | UX, BAD),
    (0x8, BAD, BAD, BAD),
    (0x9, BAD, R, R | UX),
    (0xA, BAD, BAD, BAD),
    (0xB, BAD, R | W, R | W | UX),
    (0xC, BAD, BAD, BAD),
    (0xD, R | KX | UX, R | KX | UX, R | KX | UX),
    (0xE, BAD, BAD, BAD),
    (0xF, Rights.RWX, Rights.RWX, Rights.RWX),
    (0x8001, BAD, BAD, BAD),
    (0x11, BAD, BAD, BAD),
]
VTL1 = Caller(0, 1)
GFN = 0x80


def modify(guest: Partition, mask: int = 0x1, vtl: int | None = None, caller: Caller = VTL1, **header: int) -> Served:
    """Of one page, naming VTL0 or VTL1 as the profile means it."""
    named = 0x11 if guest.profile.target_is_imposer else 0x10
    fields = {"partition_id": PARTITION_ID_SELF, "map_flags": mask, "target_vtl": named if vtl is None else vtl}
    return guest.call(
        CallCode.ModifyVtlProtectionMask, ModifyVtlProtectionMask(**fields | header), [GpaPage(GFN)], caller
    )


def outcome(profile: Profile, mbec: bool, mask: int) -> object:
    guest = Partition(profile, mbec=True).enable(1, mbec=mbec)
    served = modify(guest, mask)
    if served.status is HvStatus.SUCCESS:
        return guest.masks[1, 0, GFN]
    assert (served.status, guest.masks) == (profile.bad_mask, {})
    return BAD


@pytest.mark.parametrize(("mask", "openvmm", "tlfs", "mbec"), MASKS, ids=lambda value: f"{value!r}")
def test_masks(mask: int, openvmm: object, tlfs: object, mbec: object) -> None:
    assert outcome(OPENVMM, False, mask) == openvmm
    assert outcome(TLFS, False, mask) == tlfs
    assert outcome(OPENVMM, True, mask) == mbec
    assert outcome(TLFS, True, mask) == mbec


def test_both_profiles_set_the_same_mask_by_different_target_vtls() -> None:
    """The VTL that is restricted, or the one that imposes."""
    restricted, imposed = Partition(TLFS).enable(1), Partition(OPENVMM).enable(1)
    modify(restricted, vtl=0x10)
    modify(imposed, vtl=0x11)
    assert restricted.effects == imposed.effects == [SetMask(1, (0,), (GFN,), Rights.R)]


def test_without_a_target_the_next_lower_vtl_is_meant() -> None:
    guests = [Partition(profile).enable(1) for profile in (TLFS, OPENVMM)]
    assert [modify(guest, vtl=0).status for guest in guests] == [HvStatus.SUCCESS] * 2
    assert guests[0].masks == guests[1].masks == {(1, 0, GFN): Rights.R}


OK, DENIED, PARAMETER = HvStatus.SUCCESS, HvStatus.ACCESS_DENIED, HvStatus.INVALID_PARAMETER
VTL2, VTL0 = Caller(0, 2), Caller(0, 0)
TARGETS: list[tuple[Profile, Caller, int, HvStatus]] = [
    (TLFS, VTL0, 0x10, DENIED),
    (TLFS, VTL0, 0x00, PARAMETER),
    (TLFS, VTL1, 0x11, DENIED),
    (TLFS, VTL1, 0x12, DENIED),
    (TLFS, VTL1, 0x30, PARAMETER),
    (TLFS, VTL2, 0x11, OK),
    (TLFS, VTL2, 0x1F, DENIED),
    (OPENVMM, VTL0, 0x11, DENIED),
    (OPENVMM, VTL0, 0x00, PARAMETER),
    (OPENVMM, VTL1, 0x10, PARAMETER),
    (OPENVMM, VTL1, 0x12, DENIED),
    (OPENVMM, VTL1, 0x91, PARAMETER),
    (OPENVMM, VTL2, 0x11, OK),
    (OPENVMM, VTL2, 0x12, OK),
]


@pytest.mark.parametrize(("profile", "caller", "vtl", "status"), TARGETS, ids=lambda v: getattr(v, "name", str(v)))
def test_targets(profile: Profile, caller: Caller, vtl: int, status: HvStatus) -> None:
    guest = Partition(profile, maximum_vtl=2).enable(1, 2)
    assert modify(guest, vtl=vtl, caller=caller).status is status


@pytest.mark.parametrize("profile", [TLFS, OPENVMM], ids=lambda profile: profile.name)
def test_protection_must_be_enabled_first(profile: Profile) -> None:
    assert modify(Partition(profile).enable(1, protects=False)).status is DENIED


def test_a_lower_vtl_that_is_not_enabled_cannot_be_restricted() -> None:
    guest = Partition(maximum_vtl=2).enable(2)
    assert modify(guest, vtl=0x11, caller=VTL2).status is HvStatus.INVALID_VTL_STATE


@pytest.mark.parametrize("profile", [TLFS, OPENVMM], ids=lambda profile: profile.name)
def test_another_partition(profile: Profile) -> None:
    assert modify(Partition(profile).enable(1), partition_id=42).status is profile.foreign_partition


def test_a_secure_answer_comes_before_a_telling_one() -> None:
    """Ordering of Error Conditions: a bad mask from a VTL that may not call at all is ACCESS_DENIED."""
    assert modify(Partition().enable(1), mask=0x2, caller=VTL0).status is DENIED


def test_a_stretch_ends_at_a_page_that_is_no_ram() -> None:
    header = ModifyVtlProtectionMask(PARTITION_ID_SELF, int(Rights.R), 0x10)
    guest = Partition().enable(1)
    served = guest.call(CallCode.ModifyVtlProtectionMask, header, [GpaPage(1), GpaPage(2), GpaPage(0x100)], VTL1)
    assert ResultValue.decode(served.rax) == ResultValue(PARAMETER, 2)
    assert guest.masks == {(1, 0, 1): Rights.R, (1, 0, 2): Rights.R}


def test_openvmm_validates_all_pages_first() -> None:
    header = ModifyVtlProtectionMask(PARTITION_ID_SELF, int(Rights.R), 0x11)
    guest = Partition(OPENVMM).enable(1)
    served = guest.call(CallCode.ModifyVtlProtectionMask, header, [GpaPage(1), GpaPage(1 << 63)], VTL1)
    assert ResultValue.decode(served.rax) == ResultValue(HvStatus.OPERATION_DENIED, 0)
    assert guest.masks == {}


def test_three_vtls_each_bound_by_those_above() -> None:
    """VTL2 leaves VTL1 R and W, VTL1 leaves VTL0 R and X: VTL0 has R, VTL2 all."""
    guest = Partition(OPENVMM, maximum_vtl=2).enable(1, 2)
    modify(guest, mask=0x3, vtl=0x12, caller=VTL2)
    modify(guest, mask=0xD, vtl=0x11, caller=VTL1)
    assert [effective(guest, vtl, GFN) for vtl in (0, 1, 2)] == [Rights.R, Rights.RW, Rights.RWX]
    assert [denied_by(guest, 0, GFN, right) for right in (R, W, KX)] == [None, 1, 2]


def test_sixteen_vtls() -> None:
    guest = Partition(maximum_vtl=15).enable(*range(1, 16))
    assert modify(guest, vtl=0x1E, caller=Caller(0, 15)).status is OK
    assert msgspec.structs.asdict(guest.effects[0]) == {"setter": 15, "targets": (14,), "gfns": (GFN,), "rights": R}

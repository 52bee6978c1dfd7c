"""Which right an access needs, and whose mask denies it."""

import pytest

from engine.model.rights import Access, Rights
from engine.vsm.effects import SetSecureConfig
from engine.vsm.protection import denied_by, effective, mbec_active, needed, setters
from tests.engine.vsm.partition import Partition

PAGE = 0x40


@pytest.mark.parametrize(
    ("access", "user", "mbec", "right"),
    [
        (Access.READ, True, True, Rights.R),
        (Access.WRITE, True, True, Rights.W),
        (Access.EXECUTE, False, False, Rights.KX),
        (Access.EXECUTE, False, True, Rights.KX),
        (Access.EXECUTE, True, False, Rights.KX),
        (Access.EXECUTE, True, True, Rights.UX),
    ],
)
def test_user_execute_counts_with_mbec_only(access: Access, user: bool, mbec: bool, right: Rights) -> None:
    assert needed(access, user, mbec) is right


def test_only_higher_vtls_bind() -> None:
    guest = Partition(maximum_vtl=3).enable(1, 3)
    assert [setters(guest, vtl) for vtl in (0, 1, 3)] == [[1, 3], [3], []]


def test_the_lowest_of_several_gets_the_intercept() -> None:
    guest = Partition(maximum_vtl=3).enable(1, 3)
    guest.masks = {(1, 0, PAGE): Rights.R, (3, 0, PAGE): Rights.NONE}
    assert [denied_by(guest, 0, PAGE, right) for right in (Rights.R, Rights.W)] == [3, 1]
    assert effective(guest, 0, PAGE) == Rights.NONE
    assert effective(guest, 1, PAGE) == Rights.RWX


def test_mbec_is_each_lower_vtls_own() -> None:
    guest = Partition(maximum_vtl=3, mbec=True).enable(1, 3, mbec=True)
    guest.perform([SetSecureConfig(0, 3, 1, 1)])
    assert [mbec_active(guest, 0, vtl) for vtl in (0, 1, 3)] == [False, True, False]
    assert guest.partition.vps[0].vtls[3].secure == (0, 1) + (0,) * 14

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.rights import Rights, is_valid_mask, parse_rights, rights_text


@given(st.integers(0, 15).map(Rights))
def test_text_reads_back(rights: Rights) -> None:
    assert parse_rights(rights_text(rights)) == rights


@pytest.mark.parametrize(
    ("text", "rights"), [("RWX", 15), ("R", 1), ("none", 0), ("R KX", 5), ("rw", 3), ("RWKXUX", 15)]
)
def test_any_of_the_letters(text: str, rights: int) -> None:
    assert parse_rights(text) == rights


@pytest.mark.parametrize("text", ["Q", "RWZ", "0x1", "yes"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="mask"):
        parse_rights(text)


def test_the_sixteen_masks_without_mbec() -> None:
    assert [mask for mask in range(16) if is_valid_mask(Rights(mask))] == [0x0, 0x1, 0x3, 0xD, 0xF]


def test_with_mbec_user_execute_may_stand_alone() -> None:
    assert [mask for mask in range(16) if is_valid_mask(Rights(mask), mbec=True)] == [0x0, 0x1, 0x3, 0x9, 0xB, 0xD, 0xF]

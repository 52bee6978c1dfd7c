"""Sizes as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.sizes import parse_size, size_text


@pytest.mark.parametrize(
    ("text", "size"),
    [(4096, 4096), ("4096", 4096), ("0x1000", 4096), ("4KiB", 4096), (" 2 mib ", 2 << 20), ("0x2GiB", 2 << 30), (0, 0)],
)
def test_numbers_and_units(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    ["", "MiB", "2MB", "-1", -1, 1 << 64, "17179869184GiB", "1.5MiB", 1.5, True, None, [], "1e3", "٣", "9" * 5000],
)
def test_what_is_no_size(text: object) -> None:
    with pytest.raises(ValueError, match=r"a number or size like|from 0 to below"):
        parse_size(text)


@given(st.integers(0, (1 << 64) - 1))
def test_what_is_written_reads_back(size: int) -> None:
    assert parse_size(size_text(size)) == size


@pytest.mark.parametrize(
    ("size", "text"), [(2 << 20, "2MiB"), (4 << 30, "4GiB"), (12 << 10, "12KiB"), (100, "0x64"), (0, "0x0")]
)
def test_whole_units_are_used(size: int, text: str) -> None:
    assert size_text(size) == text

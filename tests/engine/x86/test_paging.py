"""Page walks: the identity map of every guest, and tables of other shapes against a model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.layout import PML4
from engine.x86.paging import (
    ACCESSED,
    DIRTY,
    LARGE,
    NO_EXECUTE,
    PRESENT,
    USER,
    WRITABLE,
    Translation,
    identity_tables,
    walk,
)

IDENTITY = identity_tables()


def identity(gpa: int) -> int:
    page = IDENTITY[gpa & ~0xFFF]
    return int.from_bytes(page[gpa & 0xFFF :][:8], "little")


@given(st.integers(0, (1 << 32) - 1))
def test_the_low_four_gib_map_onto_themselves(gva: int) -> None:
    found = walk(identity, PML4, gva)
    assert found is not None
    assert (found.gpa, found.page_size) == (gva, 2 << 20)
    assert (found.writable, found.user, found.executable) == (True, False, True)


@given(st.integers(1 << 32, (1 << 64) - 1))
def test_nothing_above_is_mapped(gva: int) -> None:
    assert walk(identity, PML4, gva) is None


def test_a_walk_by_hardware_has_nothing_left_to_set() -> None:
    found = walk(identity, PML4, 0x210123)
    assert found is not None
    assert [gpa for gpa, _ in found.entries] == [0x1000, 0x2000, 0x3008]
    assert all(value & ACCESSED for _, value in found.entries)
    assert found.entries[-1][1] & DIRTY


def test_the_tables_fill_six_pages() -> None:
    assert sorted(IDENTITY) == [0x1000, 0x2000, 0x3000, 0x4000, 0x5000, 0x6000]
    assert {len(page) for page in IDENTITY.values()} == {4096}


def tables(levels: list[int], gva: int) -> dict[int, int]:
    """Entries by gpa: table n is at n * 0x1000, and its entry for `gva` has the value levels[n - 1]."""
    shifts = (39, 30, 21, 12)
    return {(n + 1) * 0x1000 + (gva >> shifts[n] & 0x1FF) * 8: value for n, value in enumerate(levels)}


def translate(levels: list[int], gva: int) -> Translation | None:
    entries = tables(levels, gva)
    return walk(lambda gpa: entries[gpa], 0x1000, gva)


@pytest.mark.parametrize(
    ("levels", "size"),
    [
        ([0x2000, 0x3000, 0x4000, 0x7_6543_2000], 1 << 12),
        ([0x2000, 0x3000, 0x7_6540_0000 | LARGE], 1 << 21),
        ([0x2000, 0x7_4000_0000 | LARGE], 1 << 30),
    ],
)
@given(gva=st.integers(0, (1 << 47) - 1))
def test_every_page_size(levels: list[int], size: int, gva: int) -> None:
    found = translate([level | PRESENT for level in levels], gva)
    assert found is not None
    assert found.page_size == size
    assert found.gpa == (levels[-1] & ~LARGE) + gva % size


@given(st.lists(st.integers(0, 15), min_size=4, max_size=4), st.integers(0, (1 << 47) - 1))
def test_rights_are_what_every_level_allows(bits: list[int], gva: int) -> None:
    flags = [
        bool(bit & 1) * PRESENT | bool(bit & 2) * WRITABLE | bool(bit & 4) * USER | bool(bit & 8) * NO_EXECUTE
        for bit in bits
    ]
    frames = (0x2000, 0x3000, 0x4000, 0x5000)
    found = translate([frame | flag for frame, flag in zip(frames, flags, strict=True)], gva)
    if not all(bit & 1 for bit in bits):
        assert found is None
    else:
        assert found is not None
        assert found.writable == all(bit & 2 for bit in bits)
        assert found.user == all(bit & 4 for bit in bits)
        assert found.executable == (not any(bit & 8 for bit in bits))


def test_high_canonical_addresses_are_walked_and_others_are_not() -> None:
    high = 0xFFFF_8000_0000_0000
    assert translate([0x2003, 0x3003, 0x4003, 0x5003], high) is not None
    assert walk(lambda gpa: 0x1003, 0x1000, 0x0000_8000_0000_0000) is None


def test_cr3_flag_bits_are_not_part_of_the_address() -> None:
    assert walk(identity, PML4 | 0x18, 0x1234) == walk(identity, PML4, 0x1234)

"""A hypercall's parameters in words: as TLFS names them, and for any bytes at all."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.abi.tlfs.interface import PARTITION_ID_SELF, VP_INDEX_SELF, CallCode
from engine.session.call_parameters import element_texts, header_words, output_words

SELF = struct.pack("<Q", PARTITION_ID_SELF)


def test_the_header_of_a_mask_change() -> None:
    header = SELF + struct.pack("<IB3x", 0xD, 0x10)
    assert header_words(CallCode.ModifyVtlProtectionMask, header) == [
        ("partition id", "self"),
        ("map flags", "0xd RX"),
        ("target vtl", "0x10 VTL0"),
    ]


def test_a_target_that_names_none_and_a_plain_one() -> None:
    header = struct.pack("<QIB3x", 42, 0, 0)
    assert dict(header_words(CallCode.ModifyVtlProtectionMask, header))["target vtl"] == "0x0 names none"
    assert header_words(CallCode.EnablePartitionVtl, SELF + b"\1\1" + bytes(6)) == [
        ("partition id", "self"),
        ("target vtl", "VTL1"),
        ("enable mbec", "0x1"),
    ]


def test_a_context_is_told_without_its_segments() -> None:
    header = SELF + struct.pack("<IB3xQQQ", VP_INDEX_SELF, 1, 0x218000, 0x21C000, 2) + bytes(200)
    words = dict(header_words(CallCode.EnableVpVtl, header))
    assert (words["vp index"], words["target vtl"], words["rip"], words["rsp"]) == (
        "self",
        "VTL1",
        "0x218000",
        "0x21c000",
    )
    assert "cs" not in words


def test_pages_and_registers_rep_by_rep() -> None:
    pages = tuple(struct.pack("<Q", gfn) for gfn in (0x210, 0x211))
    assert element_texts(CallCode.ModifyVtlProtectionMask, pages, b"", 1) == ["0x210", "0x211"]
    registers = (struct.pack("<I12xQQ", 0xD0007, 0x3F, 0), struct.pack("<I12xQQ", 0x20010, 1, 1))
    assert element_texts(CallCode.SetVpRegisters, registers, b"", 2) == [
        "VsmPartitionConfig = 0x3f",
        "RIP = 0x10000000000000001",
    ]


def test_what_came_back_stands_with_the_reps_that_were_done() -> None:
    names = tuple(struct.pack("<I", name) for name in (0x90003, 0x12345))
    assert element_texts(CallCode.GetVpRegisters, names, struct.pack("<QQ", 5, 0), 1) == ["VpIndex: 0x5", "0x12345"]
    assert output_words(CallCode.TranslateVirtualAddress, struct.pack("<QQ", 0, 0x210)) == [
        ("result", "0x0"),
        ("gpa page", "0x210"),
    ]


@pytest.mark.parametrize("size", [4, 8])
def test_an_index_is_told_whatever_its_padding(size: int) -> None:
    indices = tuple(struct.pack("<I", n).ljust(size, b"\0") for n in (1, 2))
    output = b"".join(indices)
    assert element_texts(CallCode.GetVpIndexFromApicId, indices, output, 2) == ["0x1: 0x1", "0x2: 0x2"]


def test_a_call_that_was_refused_before_it_was_read_says_nothing() -> None:
    assert header_words(CallCode.ModifyVtlProtectionMask, b"") == []
    assert (header_words(0x7777, SELF), element_texts(0x7777, (SELF,), b"", 1), output_words(0x7777, SELF)) == (
        [],
        [],
        [],
    )


@given(
    st.sampled_from([*CallCode, 0x7777]),
    st.binary(max_size=300),
    st.lists(st.binary(max_size=40), max_size=5),
    st.binary(max_size=100),
    st.integers(0, 5),
)
def test_any_bytes_are_told(code: int, header: bytes, elements: list[bytes], output: bytes, done: int) -> None:
    header_words(code, header)
    output_words(code, output)
    assert len(element_texts(code, tuple(elements), output, done)) in (0, len(elements))

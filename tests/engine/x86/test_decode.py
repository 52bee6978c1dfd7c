"""Decoding: text and shape of single instructions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.registers import Registers
from engine.x86.assemble import assemble
from engine.x86.decode import decode, listing
from engine.x86.operands import memory_operands


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("inc qword ptr [rdi]", "inc qword ptr [rdi]"),
        ("mov rdi, 0x210000", "mov rdi, 0x210000"),
        ("mov dword ptr [rdi + 4], 9", "mov dword ptr [rdi+0x4], 0x9"),
        ("jmp 0x10000", "jmp 0x10000"),
    ],
)
def test_text_is_intel_syntax_with_hex_numbers(text: str, shown: str) -> None:
    found = decode(assemble(text, 0x10000).code, 0x10000)
    assert found is not None
    assert found.text == shown


def shape(text: str) -> tuple[bool, bool, bool]:
    found = decode(assemble(text, 0x10000).code, 0x10000)
    assert found is not None
    return found.is_branch, found.is_string, found.locked


@pytest.mark.parametrize("text", ["jmp 0x10000", "jne 0x10000", "call rdi", "ret", "loop 0x10000"])
def test_what_sets_rip_is_a_branch(text: str) -> None:
    assert shape(text) == (True, False, False)


def test_repeats_and_locks_are_told() -> None:
    assert shape("rep stosb") == (False, True, False)
    assert shape("stosb") == (False, False, False)
    assert shape("pause") == (False, False, False), "pause is a nop with a rep prefix, not a string instruction"
    assert shape("lock inc qword ptr [rdi]") == (False, False, True)
    assert shape("xchg qword ptr [rdi], rax") == (False, False, True)
    assert shape("xchg rbx, rax") == (False, False, False)


def test_bytes_behind_the_instruction_are_not_its_code() -> None:
    found = decode(b"\x48\xff\x07\x90\x90", 0x10000)
    assert found is not None
    assert (found.length, found.code) == (3, b"\x48\xff\x07")


@pytest.mark.parametrize("code", [b"", b"\x06", b"\x48", b"\xea\x00\x10\x00\x00\x08\x00"])
def test_what_is_no_instruction_of_64_bit_mode(code: bytes) -> None:
    assert decode(code, 0) is None
    assert memory_operands(code, 0, Registers()) == []


def test_listing_goes_on_after_a_byte_that_is_nothing() -> None:
    lines = listing(bytes.fromhex("48ff07 06 ebfb"), 0x10000)
    assert [(line.address, line.text) for line in lines] == [
        (0x10000, "inc qword ptr [rdi]"),
        (0x10003, ".byte 0x06"),
        (0x10004, "jmp 0x10001"),
    ]


@given(st.binary(max_size=200), st.integers(0, (1 << 64) - 1))
def test_a_listing_covers_every_byte_once(code: bytes, base: int) -> None:
    lines = listing(code, base)
    assert b"".join(line.code for line in lines) == code
    assert [(line.address - base) % (1 << 64) for line in lines] == [
        sum(one.length for one in lines[:at]) for at in range(len(lines))
    ]


@given(st.binary(min_size=1, max_size=20), st.integers(0, 1 << 47))
def test_decoding_agrees_with_itself_and_memory_operands_never_fail(code: bytes, rip: int) -> None:
    found = decode(code, rip)
    used = memory_operands(code, rip, Registers(rdi=0x200000, rsp=0x9000, rcx=8))
    assert found is not None or not used
    if found is not None:
        assert decode(found.code, rip) == found
        assert all(0 <= one.address < 1 << 64 and one.size >= 0 and one.access for one in used)

"""Privileged instructions are found in any bytes, and read as what they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.registers import Registers
from engine.x86.assemble import assemble
from engine.x86.privileged import Privileged, places, privileged

KNOWN = {
    "rdmsr": Privileged("rdmsr", 2),
    "wrmsr": Privileged("wrmsr", 2),
    "rdpmc": Privileged("rdpmc", 2),
    "syscall": Privileged("syscall", 2),
    "ltr ax": Privileged("ltr", 3, "", "rax"),
    "ltr r9w": Privileged("ltr", 4, "", "r9"),
    "ltr word ptr [rax]": Privileged("ltr", 3),
    "mov cr0, rbx": Privileged("mov", 3, "cr0", "rbx"),
    "mov cr4, r15": Privileged("mov", 4, "cr4", "r15"),
    "mov cr8, rax": Privileged("mov", 4, "cr8", "rax"),
    "mov dr7, rcx": Privileged("mov", 3, "dr7", "rcx"),
    "cpuid": Privileged("cpuid", 2),
    "rdtsc": Privileged("rdtsc", 2),
    "rdtscp": Privileged("rdtscp", 3),
    "cmpxchg8b [rdi]": Privileged("cmpxchg8b", 3),
    "lock cmpxchg16b [rdi+8]": Privileged("cmpxchg16b", 6),
}
PREFIXES = [b"\x66", b"\xf2", b"\xf3", b"\x2e", b"\x64", b"\x48", b"\x41"]
ANY = st.sampled_from(list(KNOWN))


@pytest.mark.parametrize("text", KNOWN)
def test_it_is_read_as_what_it_is(text: str) -> None:
    assert privileged(assemble(text, 0).code) == KNOWN[text]


@pytest.mark.parametrize("text", ["mov rax, cr0", "mov rax, rbx", "str ax", "nop", "lldt ax", "mov ds, eax"])
def test_others_are_not_these(text: str) -> None:
    assert privileged(assemble(text, 0).code) is None


def test_the_value_is_that_of_the_source() -> None:
    assert KNOWN["mov cr4, r15"].value(Registers(r15=0x620)) == 0x620
    assert KNOWN["ltr word ptr [rax]"].value(Registers(rax=5)) is None


@given(st.binary(max_size=40), st.lists(st.sampled_from(PREFIXES), max_size=6), ANY, st.binary())
def test_wherever_one_stands_its_place_is_among_those_found(
    before: bytes, prefixes: list[bytes], text: str, behind: bytes
) -> None:
    code = b"".join(prefixes) + assemble(text, 0).code
    if privileged(code) is not None:
        assert len(before) in places(before + code + behind)


@given(st.binary(max_size=40), st.lists(st.sampled_from(PREFIXES), max_size=6), ANY)
def test_one_that_the_next_page_continues_is_found_too(before: bytes, prefixes: list[bytes], text: str) -> None:
    code = b"".join(prefixes) + assemble(text, 0).code
    for cut in range(1, len(code)):
        if privileged(code) is not None:
            assert len(before) in places(before + code[:cut])


def test_a_page_of_zeros_has_none() -> None:
    assert places(bytes(4096)) == set()

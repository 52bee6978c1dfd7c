"""Which addresses an instruction forms, by the registers before it or, for what it stored, after it."""

import pytest
from msgspec.structs import astuple, replace

from engine.abi.x86 import RFLAGS_DF, RFLAGS_FIXED
from engine.model.registers import Registers
from engine.model.rights import Access
from engine.x86.assemble import assemble
from engine.x86.operands import memory_operands, stores_after

REGISTERS = Registers(rdi=0x200000, rsi=0x300000, rsp=0x9000, rcx=8, rax=0x101, rbx=0x10)
R, W, RW = (Access.READ,), (Access.WRITE,), (Access.READ, Access.WRITE)


def operands(text: str, registers: Registers = REGISTERS) -> list[tuple[int, int, tuple[Access, ...]]]:
    code = assemble(text, 0x10000).code
    return [(one.address, one.size, one.access) for one in memory_operands(code, 0x10000, registers)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mov rax, qword ptr [rdi]", [(0x200000, 8, R)]),
        ("mov dword ptr [rdi + rbx*4 - 8], 5", [(0x200038, 4, W)]),
        ("inc qword ptr [rdi]", [(0x200000, 8, RW)]),
        ("cmpxchg qword ptr [rdi], rbx", [(0x200000, 8, RW)]),
        ("push rax", [(0x8FF8, 8, W)]),
        ("pop rax", [(0x9000, 8, R)]),
        ("call rdi", [(0x8FF8, 8, W)]),
        ("ret", [(0x9000, 8, R)]),
        ("push qword ptr [rdi]", [(0x200000, 8, R), (0x8FF8, 8, W)]),
        ("stosb", [(0x200000, 1, W)]),
        ("movsq", [(0x200000, 8, W), (0x300000, 8, R)]),
        ("rep stosd", [(0x200000, 4, W)]),
        ("rep movsb", [(0x200000, 1, W), (0x300000, 1, R)]),
        ("cmpxchg16b [rdi]", [(0x200000, 16, RW)]),
        ("lea rax, [rdi]", []),
        ("nop", []),
        ("mov rax, qword ptr [rip + 0x10]", [(0x10017, 8, R)]),
    ],
)
def test_memory_operands(text: str, expected: list[tuple[int, int, tuple[Access, ...]]]) -> None:
    assert operands(text) == expected


def test_a_repeated_store_with_rcx_0_touches_nothing() -> None:
    assert operands("rep stosb", Registers(rdi=0x200000, rcx=0)) == []


def test_a_32_bit_address_uses_the_low_halves() -> None:
    wide = Registers(rdi=0xDEAD_0000_0020_0000)
    assert operands("mov rax, qword ptr [edi]", wide) == [(0x200000, 8, R)]


def test_an_address_wraps_at_64_bits() -> None:
    assert operands("mov al, byte ptr [rdi + 0x10]", Registers(rdi=(1 << 64) - 1)) == [(0xF, 1, R)]


BEFORE = Registers(rdi=0x200000, rsi=0x300000, rsp=0x9000, rcx=8, rbx=0x10, rdx=0x400000)


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("mov qword ptr [rdi + rbx*4], rax", {}),
        ("push rax", {"rsp": 0x8FF8}),
        ("push ax", {"rsp": 0x8FFE}),
        ("call rax", {"rsp": 0x8FF8}),
        ("pushfq", {"rsp": 0x8FF8}),
        ("stosd", {"rdi": 0x200004}),
        ("rep stosq", {"rdi": 0x200008, "rcx": 7}),
        ("movsb", {"rdi": 0x200001, "rsi": 0x300001}),
        ("xadd qword ptr [rdi], rbx", {"rbx": 0x77}),
        ("cmpxchg qword ptr [rdi], rbx", {"rax": 0x77}),
        ("mov qword ptr [rip + 0x10], rax", {}),
    ],
)
def test_a_store_is_found_again_by_the_registers_after_it(text: str, changes: dict[str, int]) -> None:
    code = assemble(text, 0x10000).code
    wanted = [one for one in memory_operands(code, 0x10000, BEFORE) if Access.WRITE in one.access]
    after = astuple(replace(BEFORE, rip=0x10000 + len(code), **changes))
    assert [one.address(after) for one in stores_after(code, 0x10000)] == [one.address for one in wanted]


def test_a_string_store_downwards_is_found_above() -> None:
    code = assemble("stosd", 0x10000).code
    after = astuple(replace(BEFORE, rdi=0x1FFFFC, rflags=RFLAGS_FIXED | RFLAGS_DF))
    assert [one.address(after) for one in stores_after(code, 0x10000)] == [0x200000]


@pytest.mark.parametrize("text", ["xadd qword ptr [rax], rax", "cmpxchg qword ptr [rax], rbx"])
def test_what_the_registers_do_not_tell_any_more_is_left_out(text: str) -> None:
    code = assemble(text, 0x10000).code
    assert stores_after(code, 0x10000) == ()

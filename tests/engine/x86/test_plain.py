"""Which stores and loads are plain, and what they do."""

import pytest

from engine.model.registers import NAMES
from engine.x86.assemble import assemble
from engine.x86.plain import plain_load, plain_out, plain_store

REGISTERS = [0x1122334455667788 + n for n in range(len(NAMES))]


@pytest.mark.parametrize(
    ("assembly", "data"),
    [
        ("mov [rdi], rax", "8877665544332211"),
        ("mov [rdi+rcx*4-8], ebx", "89776655"),
        ("mov [rdi], r15w", "9777"),
        ("mov [rdi], ah", "77"),
        ("mov [rdi], sil", "8c"),
        ("mov qword ptr [rdi], -2", "feffffffffffffff"),
        ("mov dword ptr [rdi], 0x12345678", "78563412"),
        ("mov byte ptr [rdi], 0x80", "80"),
    ],
)
def test_a_plain_store_tells_its_bytes(assembly: str, data: str) -> None:
    code = assemble(assembly, 0x1000).code
    store = plain_store(code, 0x1000)
    assert store is not None
    assert (store.length, store.data(REGISTERS).hex()) == (len(code), data)


@pytest.mark.parametrize(
    "assembly",
    [
        "mov rax, [rdi]",
        "mov rax, rdi",
        "mov [rdi], ds",
        "xchg [rdi], rax",
        "lock inc qword ptr [rdi]",
        "add [rdi], rax",
        "push rax",
        "stosq",
        "movups [rdi], xmm0",
        "movnti [rdi], rax",
        "hlt",
    ],
)
def test_every_other_instruction_is_no_plain_store(assembly: str) -> None:
    assert plain_store(assemble(assembly, 0x1000).code, 0x1000) is None


@pytest.mark.parametrize(
    ("assembly", "value"),
    [
        ("mov rax, [rdi]", 0xF7F6F5F4F3F2F1F0),
        ("mov eax, [rdi+rcx*4-8]", 0xF3F2F1F0),
        ("mov r9d, [rdi]", 0xF3F2F1F0),
        ("mov ax, [rdi]", 0x112233445566F1F0),
        ("mov al, [rdi]", 0x11223344556677F0),
        ("mov ah, [rdi]", 0x112233445566F088),
    ],
)
def test_a_plain_load_tells_what_its_register_holds(assembly: str, value: int) -> None:
    code = assemble(assembly, 0x1000).code
    load = plain_load(code, 0x1000)
    assert load is not None
    assert load.length == len(code)
    assert load.value(REGISTERS, bytes(range(0xF0, 0xF0 + load.at.size))) == value


@pytest.mark.parametrize(
    "assembly",
    ["mov [rdi], rax", "mov rax, rdi", "mov ds, [rdi]", "movzx eax, byte ptr [rdi]", "add rax, [rdi]", "lodsq", "hlt"],
)
def test_every_other_instruction_is_no_plain_load(assembly: str) -> None:
    assert plain_load(assemble(assembly, 0x1000).code, 0x1000) is None


def test_an_out_is_plain_but_not_as_a_string() -> None:
    assert plain_out(assemble("out dx, al", 0).code, 0) == 1
    assert plain_out(assemble("out 0x10, eax", 0).code, 0) == 2
    for other in ("outsb", "in al, dx", "nop"):
        assert plain_out(assemble(other, 0).code, 0) is None

"""Taking a store back: registers before, from the instruction and the registers after."""

import iced_x86 as iced
import pytest
from msgspec.structs import replace

from engine.hypervisor.kvm.undo import undo
from engine.model.registers import Registers
from engine.x86.assemble import assemble

RIP = 0x10000
DOWN = 1 << 10
BEFORE = Registers(
    rax=0x8877665544332211, rbx=0x200000, rcx=5, rdx=9, rsi=0x201000, rdi=0x200000, rsp=0x200100, rip=RIP
)


def decoded(text: str) -> iced.Instruction:
    code = assemble(text, RIP).code
    return iced.Decoder(64, code, ip=RIP).decode()


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("mov [rbx], rax", {}),
        ("mov byte ptr [rbx], 7", {}),
        ("inc qword ptr [rbx]", {}),
        ("add [rbx], rdx", {}),
        ("setz byte ptr [rbx]", {}),
        ("movups [rbx], xmm0", {}),
        ("push rax", {"rsp": 0x2000F8}),
        ("push qword ptr [rsi]", {"rsp": 0x2000F8}),
        ("pop qword ptr [rbx]", {"rsp": 0x200108}),
        ("pushfq", {"rsp": 0x2000F8}),
        ("call 0x10100", {"rsp": 0x2000F8}),
        ("stosb", {"rdi": 0x200001}),
        ("rep stosb", {"rdi": 0x200001, "rcx": 4}),
        ("rep stosq", {"rdi": 0x200008, "rcx": 4}),
        ("movsw", {"rdi": 0x200002, "rsi": 0x201002}),
    ],
)
def test_what_the_instruction_changed_is_taken_back(text: str, changed: dict[str, int]) -> None:
    found = decoded(text)
    after = replace(BEFORE, rip=found.next_ip, **changed)
    assert undo(found, after, b"") == BEFORE


def test_with_the_direction_flag_set_strings_ran_downwards() -> None:
    before = replace(BEFORE, rflags=2 | DOWN)
    after = replace(before, rdi=before.rdi - 8, rcx=before.rcx - 1)
    assert undo(decoded("rep stosq"), after, b"") == before


def test_what_xadd_put_into_the_register_is_told_by_what_it_stored() -> None:
    """[rbx] held 0x30; xadd [rbx], rdx stored 0x39 and left 0x30 in rdx."""
    after = replace(BEFORE, rdx=0x30)
    assert undo(decoded("xadd [rbx], rdx"), after, (0x39).to_bytes(8, "little")) == BEFORE


@pytest.mark.parametrize("text", ["adc [rbx], rax", "sbb [rbx], rax", "rcl qword ptr [rbx], 1", "cmpxchg [rbx], rdx"])
def test_what_cannot_be_derived_is_said_to_be_so(text: str) -> None:
    assert undo(decoded(text), BEFORE, b"\0" * 8) is None

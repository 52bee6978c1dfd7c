"""The contract: arithmetic flags stay what they were over instructions that leave them alone."""

from itertools import product

import pytest

from engine.conformance.handlers import handle, handler_of
from engine.model.exits import HltExit
from tests.engine.hypervisor.guest import Guest

ARITHMETIC, ZERO = 0x8D5, 0x40
UD, GP = 6, 13
VALUES = (0, 1, 5, 0x7F, 0x80, 0xC5, 0x500000, 1 << 63)
SETTERS = ["cmp rax, rbx", "add eax, ebx", "sbb ax, bx", "shl rax, 1", "sar rax, 1", "neg ebx"]
LEAVE = ["cpuid", "rdtsc", "cmpxchg8b [rdi]", "mov r8, r9\nlock cmpxchg8b [rdi]", "rdpmc", "rdmsr", "syscall"]


def _flags(guest: Guest, assembly: str, a: int, b: int) -> int:
    guest.load(f"{assembly}\nhlt", rax=a, rbx=b, rdi=Guest.PAGE)
    assert isinstance(guest.vcpu.run(), HltExit)
    return guest.vcpu.registers().rflags & ARITHMETIC


@pytest.mark.parametrize("setter", SETTERS)
@pytest.mark.parametrize("instruction", LEAVE)
def test_flags_reach_beyond_an_instruction_that_leaves_them(guest: Guest, instruction: str, setter: str) -> None:
    """Also one that ends in the handler of an exception."""
    handle(guest, {UD: "hlt", GP: "hlt"})
    sets = ZERO if "cmpxchg8b" in instruction else 0
    for a, b in product(VALUES, VALUES):
        before = _flags(guest, setter, a, b)
        assert _flags(guest, f"{setter}\n{instruction}", a, b) & ~sets == before & ~sets, (a, b)


def test_flags_reach_the_handler_of_syscall(guest: Guest) -> None:
    """R11 gets them."""
    enable = "mov r12d, eax\nmov ecx, 0xc0000080\nrdmsr\nor eax, 1\nwrmsr"
    enter = "mov ecx, 0xc0000082\nxor edx, edx\nmov eax, ebp\nwrmsr\nmov eax, r12d\nadd al, bl\nsyscall"
    handle(guest, {UD: "hlt", GP: "hlt", 31: "hlt"})
    for a, b in product(VALUES[:-1], VALUES[:-1]):
        before = _flags(guest, "add al, bl", a, b)
        guest.load(f"{enable}\n{enter}", rax=a, rbx=b, rbp=handler_of(31))
        assert isinstance(guest.vcpu.run(), HltExit)
        assert guest.vcpu.registers().r11 & ARITHMETIC == before, (a, b)

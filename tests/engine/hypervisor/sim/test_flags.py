"""Flags after a fault, against flags computed by the definition (SDM Vol. 1, appendix A)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.hypervisor.sim.flags import ARITHMETIC, Lazy, repaired
from engine.model.resolution import Complete
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import Guest

SUBQ, LOGICQ = 0x11, 0x19
WORD = st.integers(0, (1 << 64) - 1)


def _flags_of_sub(a: int, b: int) -> int:
    result = (a - b) % (1 << 64)
    signed = (a ^ b) & (a ^ result) & 1 << 63
    flags = (a < b) | 0x800 * bool(signed) | 0x80 * (result >> 63) | 0x40 * (not result)
    return flags | 0x10 * bool((a ^ b ^ result) & 0x10) | 0x4 * ((result & 0xFF).bit_count() % 2 == 0)


@given(WORD, WORD)
def test_flags_kept_where_an_operand_belongs_are_found(a: int, b: int) -> None:
    flags = _flags_of_sub(a, b)
    assert repaired(0x202 | ARITHMETIC, Lazy((a - b) % (1 << 64), flags, SUBQ)) == 0x202 | flags


@given(WORD, st.integers(ARITHMETIC + 1, (1 << 64) - 1))
def test_a_true_operand_is_left_alone(result: int, operand: int) -> None:
    if operand & ~ARITHMETIC:
        assert repaired(0x202, Lazy(result, operand, SUBQ)) == 0x202


def test_operations_that_come_out_right_are_left_alone() -> None:
    assert repaired(0x246, Lazy(1, 0, LOGICQ)) == 0x246
    assert repaired(0x246, Lazy(1, 0, 1)) == 0x246


@pytest.mark.parametrize("between", ["", "nop", "mov rcx, [rsi]"])
@pytest.mark.parametrize("last", ["mov [rbx], rdx", "out 0x10, al"])
@pytest.mark.parametrize(("a", "b"), [(1, 2), (2, 1), (0, 0), (1 << 63, 1), (5, 1 << 63), (0x10, 1)])
def test_flags_reach_the_instruction_after_an_exit(sim: Guest, between: str, last: str, a: int, b: int) -> None:
    sim.fence(Rights.R)
    sim.load(f"cmp r8, r9\n{between}\n{last}\npushfq\npop rax\nhlt", rbx=sim.PAGE, rsi=sim.DATA, r8=a, r9=b)
    seen: list[int] = []

    def answer(_: object) -> Complete:
        seen.append(sim.vcpu.registers().rflags & ARITHMETIC)
        return Complete()

    sim.drive(answer)
    assert [*seen, sim.vcpu.registers().rax & ARITHMETIC] == [_flags_of_sub(a, b)] * 2

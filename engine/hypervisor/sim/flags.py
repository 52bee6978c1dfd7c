"""Arithmetic flags after a fault, put right.

Unicorn keeps flags lazily, as an operation (cc_op), its result (cc_dst) and an operand (cc_src). With a hook before
each instruction (`count=`, see cpu/core.py) it turns them into plain flags, kept in cc_src, after any instruction
that set them. When the next instruction then faults, it restores the operation as it was before that, over a cc_src
that holds flags already, and CF, OF and AF are computed from nonsense (measured: `cmp; mov [denied]` loses CF). That
state can be told: as flags, cc_src fits the result.

Both cannot be told apart when a true operand happens to look like fitting flags. For that, the instruction that set
the flags must be the last of its block without being a branch, as at a page's end, and the next one must fault.
"""

import msgspec

ARITHMETIC = 0x8D5
"""OF, SF, ZF, AF, PF, CF."""
_PF, _ZF, _SF = 0x4, 0x40, 0x80
_FIRST = 2
SUSPECT = frozenset((*range(_FIRST, 0x16), *range(0x22, 0x2E)))
"""Operations after which they may be wrong. CCOp (QEMU target/i386/cpu.h): MUL, ADD, ADC, SUB, SBB | LOGIC, INC, DEC |
SHL, SAR, BMILG; four sizes of each. The middle ones come out right either way."""


class Lazy(msgspec.Struct, frozen=True, gc=False):
    result: int
    operand: int
    operation: int


def repaired(rflags: int, lazy: Lazy) -> int:
    """`rflags` as Unicorn computes them from `lazy`, or as they must have been."""
    if lazy.operation not in SUSPECT or lazy.operand & ~ARITHMETIC:
        return rflags
    fits = lazy.operand & (_PF | _ZF | _SF) == _of_result(lazy.result, 8 << ((lazy.operation - _FIRST) & 3))
    return (rflags & ~ARITHMETIC) | lazy.operand if fits else rflags


def _of_result(result: int, bits: int) -> int:
    result &= (1 << bits) - 1
    even = (result & 0xFF).bit_count() % 2 == 0
    return (_PF if even else 0) | (0 if result else _ZF) | (_SF if result >> (bits - 1) else 0)

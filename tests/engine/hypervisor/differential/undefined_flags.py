"""Which flags a program leaves undefined, and whether it looks at one that is (SDM Vol. 2, of each instruction)."""

from functools import lru_cache
from typing import NamedTuple

import iced_x86 as iced

from engine.model.layout import code_base
from engine.x86.assemble import assemble

FLAGS = {
    iced.RflagsBits.CF: 1 << 0,
    iced.RflagsBits.PF: 1 << 2,
    iced.RflagsBits.AF: 1 << 4,
    iced.RflagsBits.ZF: 1 << 6,
    iced.RflagsBits.SF: 1 << 7,
    iced.RflagsBits.OF: 1 << 11,
}


class Undefined(NamedTuple):
    """Bits of RFLAGS that nothing defines once the program is through, or at some point of it; whether one is read."""

    last: int
    ever: int
    read: bool


@lru_cache(maxsize=4096)
def undefined_flags(text: str) -> Undefined:
    """Of this program.

    What an instruction leaves undefined stays so until another one sets it for certain: not one that a jump goes over,
    nor a repeated one, which may do nothing. Loops are why all is gone through twice.
    """
    found = list(iced.Decoder(64, assemble(text, code_base(0)).code, ip=code_base(0)))
    undefined, ever, read = 0, 0, False
    for _ in range(2):
        certain_from = 0
        for one in found:
            read = read or bool(undefined & one.rflags_read)
            undefined |= one.rflags_undefined
            ever |= undefined
            if one.ip >= certain_from and not (one.has_rep_prefix or one.has_repne_prefix):
                undefined &= ~(one.rflags_written | one.rflags_cleared | one.rflags_set)
            if one.is_jcc_short_or_near and one.near_branch_target > one.ip:
                certain_from = max(certain_from, one.near_branch_target)
    return Undefined(_bits(undefined), _bits(ever), read)


def _bits(flags: int) -> int:
    return sum(bit for flag, bit in FLAGS.items() if flags & flag)

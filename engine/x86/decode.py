"""Machine code to people and to the VMM: one instruction, a listing. By iced-x86, in 64-bit mode."""

import re
from functools import lru_cache

import iced_x86 as iced
import msgspec

MAX_LENGTH = 15
"""Longest x86 instruction (SDM Vol. 2, 2.3.11)."""


class Instruction(msgspec.Struct, frozen=True):
    """One decoded instruction; `code` has exactly `length` bytes."""

    rip: int
    length: int
    text: str
    """Intel syntax, numbers as 0x..., branch targets absolute."""
    code: bytes
    is_branch: bool
    """jmp, jcc, call, ret: sets RIP by other means than its own length."""
    is_string: bool
    """Has a rep prefix: one instruction, many accesses."""
    locked: bool
    """Atomic on the bus: a lock prefix, or xchg with memory, which locks without one (SDM Vol. 3, 9.1.2.1)."""


class Listed(msgspec.Struct, frozen=True):
    """A line of a listing: the bytes `code` at `address`, and what they say."""

    address: int
    code: bytes
    text: str

    @property
    def length(self) -> int:
        return len(self.code)


@lru_cache(maxsize=4096)
def decode(code: bytes, rip: int) -> Instruction | None:
    """The instruction at the start of `code` (bytes after it are ignored); None when there is none."""
    found = decode_raw(code, rip)
    if found is None:
        return None
    repeats = found.has_rep_prefix or found.has_repne_prefix
    return Instruction(
        rip=rip,
        length=found.len,
        text=_text(found),
        code=code[: found.len],
        is_branch=found.flow_control in _BRANCHES,
        is_string=found.is_string_instruction and repeats,
        locked=found.has_lock_prefix or (found.mnemonic == iced.Mnemonic.XCHG and found.memory_size != 0),
    )


def listing(code: bytes, base: int) -> list[Listed]:
    """Linear sweep from `base`; a byte that starts no instruction becomes `.byte 0x..`."""
    lines: list[Listed] = []
    at = 0
    while at < len(code):
        line = _line(code[at : at + MAX_LENGTH], (base + at) & _ADDRESSES)
        lines.append(line)
        at += line.length
    return lines


def _line(code: bytes, address: int) -> Listed:
    found = decode(code, address)
    if found is None:
        return Listed(address, code[:1], f".byte {code[0]:#04x}")
    return Listed(address, found.code, found.text)


def decode_raw(code: bytes, rip: int) -> iced.Instruction | None:
    """As iced has it; None when there is none."""
    found = iced.Decoder(64, code[:MAX_LENGTH], ip=rip).decode()
    return None if found.is_invalid else found


def _text(found: iced.Instruction) -> str:
    return _SPACED.sub(", ", _formatter().format(found))


@lru_cache(maxsize=1)
def _formatter() -> iced.Formatter:
    made = iced.Formatter(iced.FormatterSyntax.INTEL)
    made.hex_prefix, made.hex_suffix = "0x", ""
    made.uppercase_hex = False
    made.branch_leading_zeros = False
    made.show_branch_size = False
    made.small_hex_numbers_in_decimal = False
    return made


_ADDRESSES = (1 << 64) - 1
_SPACED = re.compile(r",(?! )")
_BRANCHES = frozenset(
    {
        iced.FlowControl.UNCONDITIONAL_BRANCH,
        iced.FlowControl.INDIRECT_BRANCH,
        iced.FlowControl.CONDITIONAL_BRANCH,
        iced.FlowControl.RETURN,
        iced.FlowControl.CALL,
        iced.FlowControl.INDIRECT_CALL,
    }
)

"""Assembly text (Intel syntax) to machine code, by keystone, with what keystone does not do: it tells the line of an
error, gives each line's address, and refuses code that would not do what the text says.

Not allowed: `[0x500]`, an absolute address in brackets. Keystone encodes it relative to RIP, and not even the same way
for 32 and 64 bits (measured). Put the address in a register.
"""

import re
import struct
from functools import lru_cache
from typing import Any

import iced_x86 as iced
import keystone
import msgspec

from engine.x86.keystone_process import DEADLINE, HUNG, PROBE, encode
from engine.x86.statements import AssemblyError, Statement, plain_numbers, statements

__all__ = ["MAX_SOURCE", "Assembled", "AssemblyError", "SourceLine", "assemble"]

MAX_SOURCE = 16 << 10
"""Characters of source."""
_MARK = "ringfence_line_"
_REASONS = {
    HUNG: "the assembler cannot make sense of it",
    keystone.KS_ERR_ASM_MNEMONICFAIL: "no such instruction",
    keystone.KS_ERR_ASM_INVALIDOPERAND: "the instruction does not take these operands",
    keystone.KS_ERR_ASM_SYMBOL_MISSING: "a name that nothing defines",
    keystone.KS_ERR_ASM_SYMBOL_REDEFINED: "the name is defined already",
    keystone.KS_ERR_ASM_FIXUP_INVALID: "the target is too far away",
    keystone.KS_ERR_ASM_DIRECTIVE_VALUE_RANGE: "the value does not fit",
}


class SourceLine(msgspec.Struct, frozen=True):
    """Source line `line` (1-based) became `code` at `address`."""

    address: int
    line: int
    code: bytes


class Assembled(msgspec.Struct, frozen=True):
    """`code` for address `base` given to assemble; `lines` has every line that made bytes, ascending."""

    code: bytes
    lines: tuple[SourceLine, ...]


@lru_cache(maxsize=64)
def assemble(source: str, base: int) -> Assembled:
    """Machine code for 64-bit mode at `base`.

    AssemblyError names the first line at fault. Labels `name:`, comments (`;`, `#`, `//`), `name = number`,
    `.byte .word .long .quad .ascii .asciz .zero .align` (docs/guest.md). An empty source gives no code.
    """
    if len(source) > MAX_SOURCE:
        raise AssemblyError(1, "", f"{len(source)} characters of assembly; at most {MAX_SOURCE} are allowed")
    found = statements(source)
    if not found:
        return Assembled(b"", ())
    _refuse_reserved_names(found)
    code, addresses = _encode(found, base)
    lines = _lines(found, addresses, code, base)
    for statement, line in lines:
        _check(statement, line)
    return Assembled(code, tuple(line for _, line in lines if line.code))


def _refuse_reserved_names(found: list[Statement]) -> None:
    for statement in found:
        if _MARK in statement.text:
            raise AssemblyError(statement.line, statement.text, f"names with {_MARK} are taken")


def _encode(found: list[Statement], base: int) -> tuple[bytes, list[int]]:
    """Code, and the address of each statement: a label before each, and a table of them behind the code."""
    marks = [f"{_MARK}{statement.line}" for statement in found]
    marked = [f"{mark}:\n{statement.body}" for mark, statement in zip(marks, found, strict=True)]
    text = "\n".join([*marked, ".quad " + ", ".join(marks), ""])
    error, made = encode(text, base)
    if error:
        raise _located(found, base, error)
    split = len(made) - 8 * len(found)
    if split < 0:
        raise AssemblyError(found[-1].line, found[-1].text, "the assembler lost its place")
    return made[:split], list(struct.unpack(f"<{len(found)}Q", made[split:]))


def _located(found: list[Statement], base: int, last: int) -> AssemblyError:
    """The first statement whose prefix of the program fails; keystone itself does not say where it stopped."""
    low, high, error = 1, len(found), last
    deadline = PROBE if last == HUNG else DEADLINE
    while low < high:
        middle = (low + high) // 2
        failure = _failure(found, middle, base, deadline)
        if not failure:
            low = middle + 1
        else:
            high, error = middle, failure
    guilty = found[low - 1]
    if error == keystone.KS_ERR_ASM_FIXUP_INVALID:
        guilty = _too_far(found[:low], found[low:], base) or guilty
    return AssemblyError(guilty.line, guilty.text, _reason(error))


def _too_far(found: list[Statement], rest: list[Statement], base: int) -> Statement | None:
    """The jump without which `found` assembles: it may stand far above the line that made it too far."""
    for index, statement in enumerate(found):
        if statement.operation.startswith(("j", "loop", "call")):
            labels = "".join(f"{name}: " for name in statement.names)
            instead = msgspec.structs.replace(statement, body=f"{labels}.zero 2")
            changed = [*found[:index], instead, *found[index + 1 :], *rest]
            if _failure(changed, len(found), base) == 0:
                return statement
    return None


def _failure(found: list[Statement], count: int, base: int, deadline: float = DEADLINE) -> int:
    """Error number of the first `count` statements, names that later ones define taken as given; 0 for none."""
    defined = {name for statement in found[:count] for name in statement.names}
    later = dict.fromkeys(name for statement in found[count:] for name in statement.names if name not in defined)
    text = "\n".join([*(statement.body for statement in found[:count]), *(f"{name}:" for name in later), ""])
    return encode(text, base, deadline)[0]


def _reason(error: int) -> str:
    if error in _REASONS:
        return _REASONS[error]
    engine: Any = keystone
    return str(engine.KsError(error)).split(" (")[0]


def _lines(found: list[Statement], starts: list[int], code: bytes, base: int) -> list[tuple[Statement, SourceLine]]:
    ends = [*starts[1:], base + len(code)]
    spans = zip(found, starts, ends, strict=True)
    return [(at, SourceLine(start, at.line, code[start - base : end - base])) for at, start, end in spans]


def _check(statement: Statement, line: SourceLine) -> None:
    """That what keystone made is what the text says."""
    if statement.operation in ("", "=") or statement.operation[0] == ".":
        return
    if not line.code:
        raise AssemblyError(statement.line, statement.text, "no such instruction")
    found = iced.Decoder(64, line.code, ip=line.address).decode()
    if found.is_invalid or found.len != len(line.code):
        raise AssemblyError(statement.line, statement.text, "not an instruction of 64-bit mode")
    if found.is_ip_rel_memory_operand and not _RIP.search(statement.operands):
        raise AssemblyError(statement.line, statement.text, "put the address in a register, or write [rip + name]")
    if _cut_short(found, plain_numbers(statement.operands)):
        raise AssemblyError(statement.line, statement.text, "the number does not fit the operand")


def _cut_short(found: iced.Instruction, numbers: list[int]) -> bool:
    """Keystone keeps the low bits of an immediate that is too large, without a word."""
    kinds = [found.op_kind(index) for index in range(found.op_count)]
    kept = {found.immediate(index) & _IMMEDIATES[kind] for index, kind in enumerate(kinds) if kind in _IMMEDIATES}
    return bool(kept) and any(number not in kept for number in numbers)


_RIP = re.compile(r"\brip\b", re.I)
# Immediates by what iced's sign extension to 64 bits must be cut to.
_IMMEDIATES: dict[int, int] = {
    iced.OpKind.IMMEDIATE8: 0xFF,
    iced.OpKind.IMMEDIATE8_2ND: 0xFF,
    iced.OpKind.IMMEDIATE16: 0xFFFF,
    iced.OpKind.IMMEDIATE32: 0xFFFF_FFFF,
    iced.OpKind.IMMEDIATE64: 0xFFFF_FFFF_FFFF_FFFF,
    iced.OpKind.IMMEDIATE8TO16: 0xFFFF,
    iced.OpKind.IMMEDIATE8TO32: 0xFFFF_FFFF,
    iced.OpKind.IMMEDIATE8TO64: 0xFFFF_FFFF_FFFF_FFFF,
    iced.OpKind.IMMEDIATE32TO64: 0xFFFF_FFFF_FFFF_FFFF,
}

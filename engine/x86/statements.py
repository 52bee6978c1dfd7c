"""Assembly text to statements that are safe to hand to keystone.

Keystone 0.9.2 reads files (`.incbin`), runs macros, and loops for ever on statements that begin with a stray sign
(measured), so only a small, documented part of its language gets through: labels, `name = number`, instructions and
data directives. It also takes `;` for a separator; here it begins a comment, as everywhere in Intel syntax.
"""

import re

import msgspec

from engine.x86.mnemonics import KNOWN, PREFIXES


class AssemblyError(ValueError):
    """Line `line` (1-based) of the source, which reads `text`, cannot be assembled, and why."""

    def __init__(self, line: int, text: str, reason: str) -> None:
        super().__init__(f"line {line}: `{text}`: {reason}" if text else f"line {line}: {reason}")
        self.line, self.text, self.reason = line, text, reason


class Statement(msgspec.Struct, frozen=True):
    """A line of source without its comment: names it defines, and what to assemble (may be empty)."""

    line: int
    text: str
    """The line as written, without the spaces around it."""
    names: tuple[str, ...]
    body: str
    """What keystone gets, labels included."""
    operation: str
    """Mnemonic or directive in lower case, `=` for a definition, empty for labels alone."""
    operands: str


MAX_LINE = 200
MAX_ALIGN = 0x1000
MAX_ZERO = 0x2000

_STRING = r'"(?:[^"\\]|\\[nrt0\\"])*"'
_PIECES = re.compile(rf"{_STRING}|'[^'\\]'|//|[;#]|.", re.S)
_LABEL = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*:(?!:)")
_DEFINITION = re.compile(r"([A-Za-z_]\w*)\s*=\s*(-?(?:0x[0-9a-fA-F]{1,16}|[0-9]{1,19}))")
_OPERATION = re.compile(r"(\.?[A-Za-z][A-Za-z0-9]*)(?:\s+(.*))?")
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|[0-9]+")
_NUMBERS = re.compile(rf"\b(?:{_NUMBER.pattern})\b")
_WORDS = (
    "byte|word|dword|fword|qword|tbyte|xword|oword|xmmword|ymmword|zmmword|opaque|ptr|offset|short|near|far|rel|flat"
)
_TERM = rf"(?:{_NUMBER.pattern}|'[^'\\]'|(?!(?:{_WORDS})\b)[A-Za-z_][A-Za-z0-9_]*)"
_SUM = rf"-?\s*{_TERM}(?:\s*[-+*]\s*{_TERM})*"
_SIZE = r"(?:(?:byte|word|dword|fword|qword|tbyte|xmmword|ymmword)\s+ptr\s+)?"
_MEMORY = rf"{_SIZE}(?:[c-gs]s\s*:\s*)?\[\s*{_SUM}\s*\]"
_OPERAND = re.compile(rf"\s*(?:{_MEMORY}|{_SUM}|st\([0-7]\))\s*", re.I)
_VALUE = re.compile(rf"\s*{_SUM}\s*", re.I)
_STRINGS = re.compile(rf"{_STRING}(?:\s*,\s*{_STRING})*")
# Commas that are not a 'character'.
_COMMA = re.compile(r",(?!'(?:,|\s*$))")
_DATA = (".byte", ".word", ".long", ".quad")
_TEXT = (".ascii", ".asciz")
_LIMITED = {".zero": MAX_ZERO, ".align": MAX_ALIGN}


def statements(source: str) -> list[Statement]:
    """One for every line that is not blank or comment; AssemblyError at the first line that is not allowed."""
    lines = source.split("\n")
    found = [_statement(number, line) for number, line in enumerate(lines, 1)]
    return [statement for statement in found if statement is not None]


def _statement(number: int, line: str) -> Statement | None:
    text = _without_comment(line).strip()
    shown = line.strip()[:MAX_LINE]
    if len(text) > MAX_LINE:
        raise AssemblyError(number, shown[:40] + "...", f"longer than {MAX_LINE} characters")
    if not text.isascii() or not text.replace("\t", " ").isprintable():
        raise AssemblyError(number, shown, "only printable ASCII outside comments")
    names, rest = _labels(text)
    if not names and not rest:
        return None
    operation, operands, defined = _operation(number, shown, rest)
    return Statement(number, shown, (*names, *defined), text, operation, operands)


def _without_comment(line: str) -> str:
    kept: list[str] = []
    for piece in _PIECES.findall(line):
        if piece in (";", "#", "//"):
            break
        kept.append(piece)
    return "".join(kept)


def _labels(text: str) -> tuple[tuple[str, ...], str]:
    names: list[str] = []
    while match := _LABEL.match(text):
        names.append(match[1])
        text = text[match.end() :]
    return tuple(names), text.strip()


def _operation(number: int, shown: str, rest: str) -> tuple[str, str, tuple[str, ...]]:
    if not rest:
        return "", "", ()
    if definition := _DEFINITION.fullmatch(rest):
        return "=", definition[2], (definition[1],)
    match = _OPERATION.fullmatch(rest)
    if match is None:
        raise AssemblyError(number, shown, "not an instruction, a label, `name = number` or a data directive")
    name, operands = match[1].lower(), (match[2] or "").strip()
    reason = _directive_fault(name, operands) if name[0] == "." else _instruction_fault(name, operands)
    if reason:
        raise AssemblyError(number, shown, reason)
    return name, operands, ()


def _instruction_fault(name: str, operands: str) -> str:
    if name in PREFIXES:
        inner = _OPERATION.fullmatch(operands)
        if inner is None or inner[1].lower() in PREFIXES:
            return f"write the instruction behind {name}, on the same line"
        name, operands = inner[1].lower(), (inner[2] or "").strip()
    return _operands_fault(operands, _OPERAND) if name in KNOWN else "no such instruction"


def _operands_fault(operands: str, form: re.Pattern[str]) -> str:
    for operand in _COMMA.split(operands) if operands else ():
        if not form.fullmatch(operand):
            return f"operand `{operand.strip()}`: write a register, number, 'c', name, sum of these, or size ptr [sum]"
    if any(number(text) >> 64 for text in _NUMBERS.findall(operands)):
        return "a number of more than 64 bits"
    return ""


def _directive_fault(name: str, operands: str) -> str:
    if name in _DATA:
        return _operands_fault(operands, _VALUE) if operands else "what value?"
    if name in _TEXT:
        return "" if _STRINGS.fullmatch(operands) else 'write a text in double quotes, like "abc"'
    if name in _LIMITED:
        return _limited_fault(name, operands)
    allowed = " ".join((*_DATA, *_TEXT, *_LIMITED))
    return f"this directive is not offered; there are {allowed}"


def _limited_fault(name: str, operands: str) -> str:
    most = _LIMITED[name]
    value = number(operands) if _NUMBER.fullmatch(operands) else 0
    if name == ".align":
        return "" if value <= most and value.bit_count() == 1 else f"write a power of two up to {most:#x}"
    return "" if 1 <= value <= most else f"write a number from 1 to {most:#x}"


def number(text: str) -> int:
    """A literal as this language writes it: 0x and hex digits, or decimal."""
    return int(text, 16 if text.startswith("0x") else 10)


def plain_numbers(operands: str) -> list[int]:
    """The operands that are nothing but a number without a sign."""
    parts = [part.strip() for part in _COMMA.split(operands)]
    return [number(part) for part in parts if _NUMBER.fullmatch(part)]

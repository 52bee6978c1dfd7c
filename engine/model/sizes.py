"""Sizes and addresses as people write them: 4096, 0x1000, 4KiB, 2MiB, 1GiB."""

import re

_UNITS = {"": 1, "b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
_TEXT = re.compile(r"(0x[0-9a-f]{1,40}|[0-9]{1,40})\s*(kib|mib|gib|b)?", re.I)
_RULE = "a number or size like 4096, 0x1000, 64KiB, 2MiB or 1GiB"


def parse_size(value: object) -> int:
    """Bytes, or any other count, from a number or a text; below 2^64.

    ValueError otherwise; its text is what the value must be, `a number or size like ...`.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(_RULE)
    number = value if isinstance(value, int) else _from_text(value)
    if not 0 <= number < 1 << 64:
        raise ValueError("from 0 to below 2^64")
    return number


def _from_text(text: str) -> int:
    match = _TEXT.fullmatch(text.strip())
    if match is None or not text.isascii():
        raise ValueError(_RULE)
    digits = match[1].lower()
    return int(digits, 16 if digits.startswith("0x") else 10) * _UNITS[(match[2] or "").lower()]


def size_text(size: int) -> str:
    """The shortest text in whole units: `2MiB`, `12KiB`, or plain hex below that."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size and size % unit == 0:
            return f"{size // unit}{name}"
    return f"{size:#x}"

"""Reading an untrusted value field by field: what is wrong is noted with its path, and reading goes on."""

import math
from typing import Any, cast

from engine.model.problems import Problem
from engine.model.sizes import parse_size

LONGEST_SHOWN = 60


class Node:
    """A value at a path. Each reader returns something of the right type; after a problem, a harmless one."""

    def __init__(self, value: Any, path: str, problems: list[Problem]) -> None:
        self.value, self.path, self.problems = value, path, problems

    def wrong(self, rule: str) -> None:
        self.problems.append(Problem(self.path or "scenario", _shown(self.value), rule))

    def fields(self, *names: str, required: tuple[str, ...] = ()) -> dict[str, "Node"]:
        """The named fields that are there; unknown and missing ones are problems."""
        items = mapping(self.value)
        if items is None:
            self.wrong(f"must be a mapping with {', '.join(required or names)}")
            return {}
        found: dict[str, Node] = {}
        for key, value in items.items():
            field = Node(value, f"{self.path}.{key}".lstrip("."), self.problems)
            if key in names:
                found[key] = field
            else:
                field.wrong(f"unknown field; known are {', '.join(names)}")
        for name in required:
            if name not in found:
                self.problems.append(Problem(f"{self.path}.{name}".lstrip("."), "", "is missing"))
        return found

    def items(self, most: int) -> list["Node"]:
        given = self.value
        if not isinstance(given, list | tuple):
            self.wrong("must be a list")
            return []
        values = list(cast("list[Any]", given))
        if len(values) > most:
            self.wrong(f"has {len(values)} entries: at most {most} are allowed")
        return [Node(value, f"{self.path}[{at}]", self.problems) for at, value in enumerate(values[:most])]

    def size(self, least: int = 0, most: int = (1 << 64) - 1, step: int = 1) -> int:
        """An address or size in bytes, a multiple of `step`."""
        try:
            found = parse_size(self.value)
        except ValueError as error:
            self.wrong(f"must be {error}")
            return least
        if found % step:
            self.wrong(f"must be a multiple of {step:#x}")
        elif not least <= found <= most:
            self.wrong(f"must be between {least:#x} and {most:#x}")
        else:
            return found
        return least

    def number(self, least: float, most: float, whole: bool = True) -> Any:
        value = self.value
        right = isinstance(value, int) or (isinstance(value, float) and not whole and math.isfinite(value))
        if isinstance(value, bool) or not right or not least <= value <= most:
            self.wrong(f"must be a {'whole ' if whole else ''}number between {least} and {most}")
            return least
        return value if whole else float(value)

    def text(self, most: int, lines: bool = False) -> str:
        """Printable text, with line ends and tabs where `lines`."""
        if not isinstance(self.value, str):
            self.wrong("must be text")
            return ""
        found = self.value.replace("\r\n", "\n")
        if len(found) > most:
            self.wrong(f"has {len(found)} characters: at most {most} are allowed")
        elif not all(char.isprintable() or (lines and char in "\n\t") for char in found):
            self.wrong("must be printable characters")
        else:
            return found
        return ""

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            self.wrong("must be true or false")
        return self.value is True

    def choice(self, *options: str) -> Any:
        if self.value not in options:
            self.wrong(f"must be one of {', '.join(options)}")
            return options[0]
        return self.value


def mapping(value: Any) -> dict[Any, Any] | None:
    """The value, if it is a mapping."""
    return cast("dict[Any, Any]", value) if isinstance(value, dict) else None


def _shown(value: Any) -> str:
    # Never repr of a container: it may be as deep as its author liked.
    if isinstance(value, dict | list | tuple):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = repr(value) if not isinstance(value, int) or isinstance(value, bool) else _number(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


def _number(value: int) -> str:
    # Addresses read best in hex; Python refuses to print very long decimals at all.
    return hex(value) if abs(value) >= 4096 else str(value)

"""A lab's text, lab.md, as blocks for a page: the part of Markdown that labs use, and nothing else.

Headings, paragraphs, numbered lists, tables and fenced code; inside them `code`, **strong** and *emphasis*.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_SPAN = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*")
_STEP = re.compile(r"\d+\. +")
_FENCE = "```"


@dataclass(frozen=True)
class Span:
    """A stretch of text; `kind` is code, strong, em or empty."""

    kind: str
    text: str


Spans = Sequence[Span]


@dataclass(frozen=True)
class Block:
    """`kind`: h1, h2, p, steps, table or code; what it holds is in the field for it."""

    kind: str
    spans: Spans = ()
    items: Sequence[Spans] = ()
    """Of steps."""
    rows: Sequence[Sequence[Spans]] = ()
    """Of a table, the first one its head."""
    text: str = ""
    """Of code."""


@dataclass
class _Reader:
    lines: list[str]
    at: int = 0
    blocks: list[Block] = field(default_factory=list[Block])

    def take(self, goes_on: re.Pattern[str]) -> list[str]:
        """Lines from here on while they match."""
        start = self.at
        while self.at < len(self.lines) and goes_on.match(self.lines[self.at]):
            self.at += 1
        return self.lines[start : self.at]


_NOT_BLANK = re.compile(r".*\S")
_ROW = re.compile(r"\|")
_RULE = re.compile(r"[|\s:-]+")
"""The line between a table's head and its rows."""
_IN_FENCE = re.compile(r"(?!```)")


def blocks(text: str) -> list[Block]:
    """In order. A line that begins no other block begins a paragraph, so that nothing is lost."""
    reader = _Reader(text.split("\n"))
    while reader.at < len(reader.lines):
        line = reader.lines[reader.at]
        if not line.strip():
            reader.at += 1
        elif line.startswith(_FENCE):
            reader.at += 1
            reader.blocks.append(Block("code", text="\n".join(reader.take(_IN_FENCE))))
            reader.at += 1
        elif line.startswith("#"):
            reader.at += 1
            reader.blocks.append(Block("h1" if line.startswith("# ") else "h2", spans(line.lstrip("# "))))
        else:
            reader.blocks.append(_table(reader) if line.startswith("|") else _prose(reader))
    return reader.blocks


def _table(reader: _Reader) -> Block:
    return Block("table", rows=[_cells(line) for line in reader.take(_ROW) if not _RULE.fullmatch(line)])


def _cells(line: str) -> list[Spans]:
    return [spans(cell.strip()) for cell in line.strip().strip("|").split("|")]


def _prose(reader: _Reader) -> Block:
    lines = reader.take(_NOT_BLANK)
    if not _STEP.match(lines[0]):
        return Block("p", spans(" ".join(lines)))
    items: list[str] = []
    for line in lines:
        if _STEP.match(line):
            items.append(_STEP.sub("", line, count=1))
        else:
            items[-1] += " " + line.strip()
    return Block("steps", items=[spans(item) for item in items])


def spans(text: str) -> Spans:
    found: list[Span] = []
    at = 0
    for match in _SPAN.finditer(text):
        found.append(Span("", text[at : match.start()]))
        kind = ("code", "strong", "em")[(match.lastindex or 1) - 1]
        found.append(Span(kind, match[match.lastindex or 1]))
        at = match.end()
    found.append(Span("", text[at:]))
    return [span for span in found if span.text]

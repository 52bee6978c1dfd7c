"""The Markdown of labs: each kind of block, and that no word is lost."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.labs.text import Block, Span, Spans, blocks, spans

LABS = sorted(Path("labs").glob("*/lab.md"))


def said(block: Block) -> Iterator[str]:
    for part in (block.spans, *block.items, *(cell for row in block.rows for cell in row)):
        yield "".join(span.text for span in part)
    yield block.text


def plain(part: Spans) -> str:
    return "".join(span.text for span in part)


def test_each_kind_of_block() -> None:
    steps, table, code = "1. First\n   goes on\n2. Second", "| a | b |\n|---|---|\n| 1 | `x` |", "```\nmov\n```"
    found = blocks("\n\n".join(["# Title", "One\ntwo.", steps, table, code, "## Next"]))
    assert [block.kind for block in found] == ["h1", "p", "steps", "table", "code", "h2"]
    assert plain(found[1].spans) == "One two."
    assert [plain(item) for item in found[2].items] == ["First goes on", "Second"]
    assert [[plain(cell) for cell in row] for row in found[3].rows] == [["a", "b"], ["1", "x"]]
    assert found[4].text == "mov"


def test_spans() -> None:
    kinds = [(span.kind, span.text) for span in spans("press `.` and *look* at **R**")]
    assert kinds == [("", "press "), ("code", "."), ("", " and "), ("em", "look"), ("", " at "), ("strong", "R")]
    assert spans("2 * 3 and 0x66`") == [Span("", "2 * 3 and 0x66`")]


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.parent.name)
def test_no_word_of_a_lab_is_lost(path: Path) -> None:
    text = path.read_text()
    shown = " ".join(part for block in blocks(text) for part in said(block))
    wanted = re.sub(r"^\d+\. |^\|[|-]+$|^#+ |\|", " ", text, flags=re.M)
    assert re.sub(r"[`*]", "", shown).split() == re.sub(r"[`*]", "", wanted).split()


@given(st.text(st.sampled_from("ab1. |-#`*\n"), max_size=80))
def test_any_text_has_its_letters_and_an_end(text: str) -> None:
    shown = "".join(part for block in blocks(text) for part in said(block))
    if "```" not in text:
        assert re.sub(r"[^ab]", "", shown) == re.sub(r"[^ab]", "", text)

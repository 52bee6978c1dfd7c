"""Files are small, named after what they hold, and tested by the file that mirrors them."""

import re
from pathlib import Path

import pytest

from tests.house.tree import ROOT, python_files, text_of, tracked

MAX_LINES = 350
MAX_TEST_LINES = 300
VAGUE = {"utils", "util", "helpers", "helper", "misc", "manager", "common", "stuff"}
WHOLE = {"e2e", "house", "lanes", "migrations", "peers"}
"""Folders of tests/ that look at the whole and mirror no folder."""
CODE = (".py", ".js", ".css", ".html", ".sh")


def own_code() -> list[Path]:
    return [path for path in tracked() if path.suffix in CODE and "vendor" not in path.parts]


def test_the_tree_was_found() -> None:
    assert len(own_code()) > 50


@pytest.mark.parametrize("path", own_code(), ids=str)
def test_no_file_is_long(path: Path) -> None:
    text = text_of(path)
    assert text is not None
    most = MAX_TEST_LINES if path.parts[0] == "tests" else MAX_LINES
    assert text.count("\n") <= most, f"{path}: split it, {most} lines is the most"


def test_no_name_is_vague() -> None:
    vague = [path for path in own_code() for part in path.parts if part.split(".")[0].lower() in VAGUE]
    assert vague == []


def mirrored_tests() -> list[Path]:
    return [
        path
        for path in python_files("tests")
        if path.name.startswith("test_") and path.parts[1] not in WHOLE and len(path.parts) > 2
    ]


def places_tested_by(test: Path) -> list[Path]:
    """tests/a/b/test_c.py stands for a/b/c.py, for the folder a/b/c, or, with more words, for the longest c that is.

    A file in a folder that has folders may look across them.
    """
    folder, words = Path(*test.parts[1:-1]), test.stem.removeprefix("test_").split("_")
    names = ["_".join(words[:length]) for length in range(len(words), 0, -1)]
    whole = [folder] if any((ROOT / folder).glob("*/__init__.py")) else []
    return [folder / f"{name}.py" for name in names] + [folder / name for name in names] + whole


@pytest.mark.parametrize("test", mirrored_tests(), ids=str)
def test_every_test_mirrors_a_module(test: Path) -> None:
    assert any((ROOT / place).exists() for place in places_tested_by(test)), f"{test} mirrors no module"


def test_nothing_is_imported_from_a_test() -> None:
    """A fixture belongs to conftest.py, a peer to tests/peers: a test file is nobody's library."""
    imports = re.compile(r"^\s*(?:from \S*\btest_\w+ import|import \S*\btest_|from \S+ import test_)", re.MULTILINE)
    assert [path for path in python_files("tests") if imports.search(text_of(path) or "")] == []

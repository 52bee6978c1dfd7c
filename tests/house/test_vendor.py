"""Vendored files are what VENDOR.toml says they are, and nothing else lies beside them."""

import hashlib
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.house.tree import ROOT

FOLDERS = (ROOT / "static/vendor", ROOT / "tests/vendor")
WANTED = {"name", "version", "licence", "licence_file", "source", "file", "sha256"}


def entries() -> list[tuple[Path, dict[str, Any]]]:
    return [
        (folder, entry) for folder in FOLDERS for entry in tomllib.loads((folder / "VENDOR.toml").read_text())["file"]
    ]


@pytest.mark.parametrize(("folder", "entry"), entries(), ids=[entry["file"] for _, entry in entries()])
def test_a_vendored_file_is_unchanged(folder: Path, entry: dict[str, Any]) -> None:
    assert set(entry) == WANTED
    assert hashlib.sha256((folder / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
    assert entry["version"] in entry["file"]
    assert (folder / entry["licence_file"]).stat().st_size > 500


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_nothing_lies_beside_them(folder: Path) -> None:
    listed = {name for at, entry in entries() if at == folder for name in (entry["file"], entry["licence_file"])}
    assert {path.name for path in folder.iterdir()} == listed | {"VENDOR.toml"}

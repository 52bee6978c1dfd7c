"""The project speaks only of itself: pages call nobody, files name no registry and nobody's machine."""

import json
import re
import sys
from pathlib import Path

import pytest

from tests.house.tree import ROOT, text_of, tracked

EXTERNAL = re.compile(r"""(?:https?:|wss?:)?//[a-z0-9-]+(?:\.[a-z0-9-]+)+""", re.IGNORECASE)
NAMESPACES = ("http://www.w3.org/",)
"""SVG and XHTML namespaces are names; nothing is fetched from them."""
URL = re.compile(r"https?://([a-z0-9.-]+)", re.IGNORECASE)
KNOWN_HOSTS = {"127.0.0.1", "localhost", "www.w3.org", "json-schema.org", "evil.example", "lab.example"}
"""Loopback, names that are only names, and examples (RFC 2606). Everything else would be somebody's server."""
INDEX = re.compile(r"--(?:extra-)?index-url\b|\"resolved\":")


def own_text() -> list[Path]:
    return [path for path in tracked() if path.name != "LICENSE" and "vendor" not in path.parts]


def machine() -> re.Pattern[str]:
    """Where this checkout, its interpreter and its user live: paths that mean nothing elsewhere."""
    places = {str(ROOT.parent), str(Path.home()), sys.base_prefix} - {"/", "/usr", "/tmp"}
    return re.compile("|".join(re.escape(place) + r"(?:/|\b)" for place in sorted(places)))


def served() -> list[Path]:
    return [path for path in own_text() if path.parts[0] in ("static", "templates")]


@pytest.mark.parametrize("path", served(), ids=str)
def test_a_served_file_names_no_other_host(path: Path) -> None:
    found = [url.group() for url in EXTERNAL.finditer(text_of(path) or "")]
    assert [url for url in found if not any(name.startswith(url) for name in NAMESPACES)] == []


def test_there_are_served_files() -> None:
    assert {path.suffix for path in served()} >= {".js", ".css", ".html"}


def test_no_file_names_a_host_or_an_index() -> None:
    for path in own_text():
        text = text_of(path) or ""
        assert set(URL.findall(text)) <= KNOWN_HOSTS, path
        assert path.suffix not in (".lock", ".json", ".npmrc") or not INDEX.search(text), path


def test_no_file_names_a_machine() -> None:
    guilty = {str(path): found.group() for path in own_text() if (found := machine().search(text_of(path) or ""))}
    assert guilty == {}


def test_the_npm_lock_pins_by_hash_alone() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    pinned = {name: entry for name, entry in packages.items() if name}
    assert pinned
    assert all("integrity" in entry and "resolved" not in entry for entry in pinned.values())


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_the_python_locks_pin_by_hash_alone(lock: str) -> None:
    text = (ROOT / lock).read_text()
    requirements = re.split(r"\n(?=\S)", text.strip())
    assert len(requirements) > 20
    assert all("==" in one and "--hash=sha256:" in one for one in requirements)
    assert "://" not in text

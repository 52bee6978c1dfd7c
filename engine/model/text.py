"""A scenario's text forms: what people write, and the canonical bytes that its permanent link stands for."""

import hashlib
from base64 import b32encode
from typing import Any

import msgspec

from engine.model.check import check
from engine.model.layout import MAX_RAM
from engine.model.load import load_text
from engine.model.node import Node
from engine.model.problems import Problem, ScenarioProblems
from engine.model.read import read_scenario
from engine.model.scenario import Scenario

MOST_TOLD = 200
"""Problems told at once; a hostile text has thousands."""
LATER = {"dirty": "log", "vtls": 2, "vsm_profile": "tlfs", "hyperv": "vmm"}
"""Fields that came when scenarios had been saved already, with what those do. Absent from the canonical form, such a
field means this for ever, whatever its default may become."""
ID_LENGTH = 20
"""Characters of base32: 100 bits of sha256."""


def parse_scenario(text: str | bytes | dict[str, Any], max_ram: int = MAX_RAM) -> Scenario:
    """From YAML, JSON or plain values. ScenarioProblems has everything that is wrong.

    Names and parameters of guests, and assembly, are not looked at here: engine.machine.program.check_scenario.
    """
    problems: list[Problem] = []
    value = load_text(text) if isinstance(text, str | bytes) else text
    scenario = read_scenario(Node(value, "", problems), max_ram)
    if not problems:
        problems += check(scenario)
    if problems:
        raise ScenarioProblems(_told(problems))
    return scenario


def _told(problems: list[Problem]) -> list[Problem]:
    left = len(problems) - MOST_TOLD
    return problems if left <= 0 else [*problems[:MOST_TOLD], Problem("scenario", "", f"and {left} more problems")]


def canonical(scenario: Scenario) -> bytes:
    """JSON with every default written out and sorted keys: a later change of a default changes no saved scenario.

    A field of LATER is left out while it has the value named there: ids from before it stay as they are.
    """
    told = msgspec.to_builtins(scenario).items()
    return msgspec.json.encode(dict(field for field in told if field not in LATER.items()), order="sorted")


def from_canonical(data: bytes) -> Scenario:
    """The inverse; ScenarioProblems for anything that canonical did not write."""
    try:
        return msgspec.json.decode(data, type=Scenario)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise ScenarioProblems([Problem("scenario", "", f"not canonical: {error}")]) from None


def content_id(scenario: Scenario) -> str:
    """20 characters that name this content and no other."""
    return b32encode(hashlib.sha256(canonical(scenario)).digest()).decode().lower()[:ID_LENGTH]

"""A scenario's guests as bytes: in the system area page tables, hypercall page and each vCPU's code; VTL1's code where
the scenario wants it."""

from itertools import chain
from typing import NamedTuple

import msgspec
from msgspec import UNSET

from engine.machine.piece_problems import problems
from engine.machine.pieces import pieces_of
from engine.model.layout import DESCRIPTORS, HYPERCALL_PAGE, PML4, code_base, stack_top
from engine.model.problems import ScenarioProblems
from engine.model.scenario import Scenario, VcpuSpec
from engine.model.text import parse_scenario
from engine.x86.decode import Listed, listing
from engine.x86.descriptors import GDT
from engine.x86.hypercall_page import page_bytes
from engine.x86.paging import identity_tables


class Entry(NamedTuple):
    """The registers a vCPU starts with; the others are 0."""

    rip: int
    rsp: int
    cr3: int
    rdi: int = 0
    """gpa of VTL1's code, where the scenario gives any."""


class Loaded(msgspec.Struct, frozen=True):
    """`writes` in this order build the system area; `entries` and `listings` by vCPU."""

    writes: tuple[tuple[int, bytes], ...]
    """(gpa, bytes)."""
    entries: tuple[Entry, ...]
    listings: tuple[tuple[Listed, ...], ...]


def load(scenario: Scenario) -> Loaded:
    """Assemble everything; ScenarioProblems when a guest cannot be (check_scenario finds that first)."""
    found = problems(scenario)
    if found:
        raise ScenarioProblems(found)
    tables = tuple(identity_tables().items())
    programs = [
        [(piece.base, piece.code) for piece in pieces_of(index, vcpu)] for index, vcpu in enumerate(scenario.vcpus)
    ]
    return Loaded(
        writes=(*tables, (DESCRIPTORS, GDT), (HYPERCALL_PAGE, page_bytes()), *chain(*programs)),
        entries=tuple(_entry(index, vcpu) for index, vcpu in enumerate(scenario.vcpus)),
        listings=tuple(tuple(line for base, code in pieces for line in listing(code, base)) for pieces in programs),
    )


def _entry(index: int, vcpu: VcpuSpec) -> Entry:
    return Entry(code_base(index), stack_top(index), PML4, 0 if vcpu.vtl1 is UNSET else vcpu.vtl1.base)


def check_scenario(text: str | bytes | dict[str, object]) -> Scenario:
    """The checked scenario of a YAML or JSON text; ScenarioProblems with everything wrong in it, guests included."""
    scenario = parse_scenario(text)
    found = problems(scenario)
    if found:
        raise ScenarioProblems(found)
    return scenario

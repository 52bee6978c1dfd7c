"""A scenario's guests as bytes in the system area: page tables, hypercall page, and each vCPU's code."""

from typing import NamedTuple

import msgspec

from engine.machine.guests import GUESTS
from engine.machine.guests.guest import Guest
from engine.model.address import PAGE_SIZE
from engine.model.layout import CODE_SIZE, DESCRIPTORS, HYPERCALL_PAGE, MAX_RAM, PML4, code_base, stack_top
from engine.model.problems import Problem, ScenarioProblems
from engine.model.scenario import Scenario, VcpuSpec
from engine.model.text import parse_scenario
from engine.x86.assemble import Assembled, AssemblyError, assemble
from engine.x86.decode import Listed, listing
from engine.x86.descriptors import GDT
from engine.x86.hypercall_page import page_bytes
from engine.x86.paging import identity_tables


class Entry(NamedTuple):
    """The registers a vCPU starts with; the others are 0."""

    rip: int
    rsp: int
    cr3: int


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
    codes = [_assembled(vcpu, index).code for index, vcpu in enumerate(scenario.vcpus)]
    tables = tuple(identity_tables().items())
    programs = tuple((code_base(index), code) for index, code in enumerate(codes))
    return Loaded(
        writes=(*tables, (DESCRIPTORS, GDT), (HYPERCALL_PAGE, page_bytes()), *programs),
        entries=tuple(Entry(code_base(index), stack_top(index), PML4) for index in range(len(codes))),
        listings=tuple(tuple(listing(code, base)) for base, code in programs),
    )


def check_scenario(text: str | bytes | dict[str, object]) -> Scenario:
    """The checked scenario of a YAML or JSON text; ScenarioProblems with everything wrong in it, guests included."""
    scenario = parse_scenario(text)
    found = problems(scenario)
    if found:
        raise ScenarioProblems(found)
    return scenario


def problems(scenario: Scenario) -> list[Problem]:
    """What is wrong with the guests of a scenario: unknown names, parameters out of bounds, assembly errors."""
    return [problem for index, vcpu in enumerate(scenario.vcpus) for problem in _vcpu_problems(index, vcpu)]


def source(vcpu: VcpuSpec) -> str:
    """The assembly text that the vCPU runs: its own, or its guest's with these parameters."""
    return vcpu.asm if vcpu.asm is not None else GUESTS[vcpu.guest or ""].text(vcpu.params)


def _vcpu_problems(index: int, vcpu: VcpuSpec) -> list[Problem]:
    path = f"vcpus[{index}]"
    if vcpu.guest is not None:
        guest = GUESTS.get(vcpu.guest)
        if guest is None:
            return [Problem(f"{path}.guest", vcpu.guest, f"no such guest; there are {', '.join(GUESTS)}")]
        return _parameter_problems(f"{path}.params", guest, vcpu.params)
    return _assembly_problems(f"{path}.asm", index, vcpu)


def _parameter_problems(path: str, guest: Guest, params: dict[str, int]) -> list[Problem]:
    known = {parameter.name: parameter for parameter in guest.parameters}
    found: list[Problem] = []
    for name, value in params.items():
        rule = known[name].fault(value) if name in known else f"{guest.name} takes {', '.join(known)}"
        if rule:
            found.append(Problem(f"{path}.{name}", f"{value:#x}", rule))
    return found or _reach_problems(path, guest.complete(params))


def _reach_problems(path: str, params: dict[str, int]) -> list[Problem]:
    """A guest that walks out of the identity map would end in a triple fault."""
    end = params.get("base", 0) + params.get("pages", 0) * params.get("stride", 1) * PAGE_SIZE
    if end <= MAX_RAM:
        return []
    return [Problem(path, f"up to {end:#x}", f"guests are mapped up to {MAX_RAM:#x}")]


def _assembly_problems(path: str, index: int, vcpu: VcpuSpec) -> list[Problem]:
    try:
        size = len(_assembled(vcpu, index).code)
    except AssemblyError as error:
        return [Problem(path, f"line {error.line}: {error.text}" if error.text else "", error.reason)]
    if size == 0:
        return [Problem(path, "", "no instructions")]
    if size > CODE_SIZE:
        return [Problem(path, f"{size} bytes of code", f"at most {CODE_SIZE} fit a vCPU's code area")]
    return []


def _assembled(vcpu: VcpuSpec, index: int) -> Assembled:
    return assemble(source(vcpu), code_base(index))

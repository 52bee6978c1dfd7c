"""What is wrong with the programs of a scenario: unknown names, parameters out of bounds, assembly errors, no room."""

from engine.machine.guests import GUESTS
from engine.machine.guests.guest import Guest
from engine.machine.pieces import Piece, pieces
from engine.model.address import PAGE_SIZE, PageRange
from engine.model.layout import CODE_SIZE, MAX_RAM
from engine.model.problems import Problem
from engine.model.scenario import Scenario
from engine.x86.assemble import AssemblyError


def problems(scenario: Scenario) -> list[Problem]:
    """All of it, in the order of the file."""
    return [problem for piece in pieces(scenario) for problem in _problems(piece, scenario)]


def _problems(piece: Piece, scenario: Scenario) -> list[Problem]:
    name = piece.spec.guest
    if name is None:
        return _assembly_problems(piece) or _room_problems(piece, scenario, len(piece.code))
    guest = GUESTS.get(name)
    if guest is None or guest.vtl != piece.vtl:
        known = ", ".join(guest.name for guest in GUESTS.values() if guest.vtl == piece.vtl)
        return [Problem(f"{piece.path}.guest", name, f"no such guest for VTL{piece.vtl}; there are {known}")]
    found = _parameter_problems(f"{piece.path}.params", guest, piece.spec.params)
    return found or _room_problems(piece, scenario, guest.pages * PAGE_SIZE)


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


def _assembly_problems(piece: Piece) -> list[Problem]:
    path = f"{piece.path}.asm"
    try:
        size = len(piece.code)
    except AssemblyError as error:
        return [Problem(path, f"line {error.line}: {error.text}" if error.text else "", error.reason)]
    if size == 0:
        return [Problem(path, "", "no instructions")]
    if size > CODE_SIZE:
        return [Problem(path, f"{size} bytes of code", f"at most {CODE_SIZE} fit a vCPU's code area")]
    return []


def _room_problems(piece: Piece, scenario: Scenario, size: int) -> list[Problem]:
    """The system area is in a slot (engine.model.check); what else is loaded must be, too."""
    if piece.vtl == 0:
        return []
    needed = PageRange.of(piece.base, -(-size // PAGE_SIZE) * PAGE_SIZE)
    if any(slot.pages.intersection(needed) == needed for slot in scenario.slots if not slot.readonly):
        return []
    end = needed.stop * PAGE_SIZE
    return [Problem(f"{piece.path}.base", f"{piece.base:#x}", f"one writable slot must hold all of it, up to {end:#x}")]

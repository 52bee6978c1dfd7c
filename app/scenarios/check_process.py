"""The checker's child process (app.scenarios.checking): texts in, verdicts out, until the socket closes."""

import socket
import sys

from app.scenarios.checking import Checked, CheckedLine, CheckedProgram, questions
from engine import wire
from engine.machine import program
from engine.machine.pieces import Piece, pieces_of
from engine.model.problems import Problem, ScenarioProblems
from engine.model.scenario import Scenario
from engine.model.text import canonical, content_id
from engine.x86.decode import listing


def check(text: bytes, max_ram: int) -> Checked:
    """Every problem of `text`, or its canonical form and code."""
    try:
        scenario = program.check_scenario(text)
    except ScenarioProblems as error:
        return Checked(problems=error.problems)
    if scenario.ram > max_ram:
        return Checked(problems=[Problem("ram", str(scenario.ram), f"this server gives a guest {max_ram} at most")])
    return Checked(
        problems=[],
        id=content_id(scenario),
        name=scenario.name,
        about=scenario.about,
        canonical=canonical(scenario),
        programs=_code(scenario),
    )


def _code(scenario: Scenario) -> list[CheckedProgram]:
    return [
        CheckedProgram(index, piece.vtl, piece.spec.guest or "", _lines(piece))
        for index, vcpu in enumerate(scenario.vcpus)
        for piece in pieces_of(index, vcpu)
    ]


def _lines(piece: Piece) -> list[CheckedLine]:
    return [CheckedLine(line.address, line.code, line.text) for line in listing(piece.code, piece.base)]


def main() -> None:
    with socket.socket(fileno=int(sys.argv[1])) as server:
        while (question := wire.receive_blocking(server, questions)) is not None:
            server.sendall(wire.pack(check(question.text, question.max_ram)))


if __name__ == "__main__":
    main()

"""The checker's child process (app.scenarios.checking): texts in, verdicts out, until the socket closes."""

import socket
import sys

from app.scenarios.checking import Checked, CheckedLine, CheckedVcpu, questions
from engine import wire
from engine.machine import program
from engine.model.problems import Problem, ScenarioProblems
from engine.model.scenario import Scenario
from engine.model.text import canonical, content_id
from engine.x86.decode import Listed


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
        vcpus=_code(scenario),
    )


def _code(scenario: Scenario) -> list[CheckedVcpu]:
    loaded = program.load(scenario)
    writes = dict(loaded.writes)
    return [
        CheckedVcpu(vcpu.guest or "", [_line(line, entry.rip, writes[entry.rip]) for line in lines])
        for vcpu, entry, lines in zip(scenario.vcpus, loaded.entries, loaded.listings, strict=True)
    ]


def _line(line: Listed, base: int, code: bytes) -> CheckedLine:
    start = line.address - base
    return CheckedLine(line.address, code[start : start + line.length], line.text)


def main() -> None:
    with socket.socket(fileno=int(sys.argv[1])) as server:
        while (question := wire.receive_blocking(server, questions)) is not None:
            server.sendall(wire.pack(check(question.text, question.max_ram)))


if __name__ == "__main__":
    main()

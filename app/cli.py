"""The command line: the same engine for scripts and CI. Exit status: 0 ended, 1 failed, 2 bad input, 3 not there."""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from engine.conformance.text import conformance_text
from engine.hypervisor.contract.errors import HypervisorMissing, Unsupported
from engine.machine.program import check_scenario
from engine.model.problems import ScenarioProblems
from engine.model.scenario import Scenario
from engine.session.doctor import Finding, report
from engine.session.host import host_for
from engine.session.outcome import Outcome, run_to_end

FAILED, BAD_INPUT, MISSING = 1, 2, 3
LONGEST_RUN = 30.0
"""Seconds that `run` gives a scenario which sets no limit of its own in seconds."""


def main(argv: list[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        return command(arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read the output has enough; the interpreter must not complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def run(arguments: argparse.Namespace) -> int:
    try:
        scenario = _bounded(check_scenario(_read(arguments.file)))
        outcome = run_to_end(scenario, host_for(scenario, arguments.hypervisor))
    except OSError as error:
        return _complain(BAD_INPUT if error.filename else FAILED, str(error))
    except ScenarioProblems as found:
        return _complain(BAD_INPUT, *map(str, found.problems))
    except HypervisorMissing as missing:
        return _complain(MISSING, str(missing))
    except Unsupported as refused:
        return _complain(BAD_INPUT, str(refused))
    _print_json(outcome) if arguments.json else _print_outcome(outcome)
    return FAILED if outcome.stopped == "dead" else 0


def doctor(arguments: argparse.Namespace) -> int:
    found = report()
    if arguments.json:
        _print_json(found)
    else:
        print(f"{found.kernel}, Python {found.python}, {found.cpus} CPUs; auto means: {found.default}")
        for finding in found.findings:
            print(_diagnosis(finding))
    return 0 if all(finding.usable for finding in found.findings) else MISSING


def conformance(arguments: argparse.Namespace) -> int:
    import asyncio

    from app.conformance.service import examine_here

    found = asyncio.run(examine_here(arguments.hypervisor or ("kvm", "sim")))
    if arguments.json:
        _print_json(found)
    else:
        for line in conformance_text(found):
            print(line)
    return FAILED if found.failed else 0


def serve(arguments: argparse.Namespace) -> int:
    # The other commands must not need the web stack to start.
    from pydantic import ValidationError
    from pydantic_settings import SettingsError
    from sqlalchemy.exc import SQLAlchemyError

    from app.serve import serve as serve_app
    from app.settings import Settings

    given = {name: value for name in ("host", "port") if (value := getattr(arguments, name)) is not None}
    try:
        serve_app(Settings(**given))
    except (ValidationError, SettingsError) as wrong:
        return _complain(BAD_INPUT, *_settings_problems(wrong))
    except (OSError, SQLAlchemyError) as error:
        return _complain(FAILED, f"cannot serve: {str(error).splitlines()[0]}")
    return 0


def _settings_problems(wrong: ValueError) -> list[str]:
    """What is wrong with which variable; `wrong` as pydantic tells it."""
    from pydantic import ValidationError

    if not isinstance(wrong, ValidationError):
        return [str(wrong)]
    return [f"RINGFENCE_{str(one['loc'][0]).upper()}: {one['input']!r}: {one['msg']}" for one in wrong.errors()]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ringfence", description="A live lab for the memory side of a hypervisor.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    server = commands.add_parser("serve", help="start the lab's web server")
    server.add_argument("--host", help="address to bind to; the default is loopback only")
    server.add_argument("--port", type=int)
    server.set_defaults(command=serve)
    runner = commands.add_parser("run", help="run a scenario file to its end")
    runner.add_argument("file", help="scenario in YAML or JSON, or - for standard input")
    runner.add_argument("--hypervisor", choices=("auto", "kvm", "sim"), default="auto")
    runner.add_argument("--json", action="store_true", help="print one JSON object")
    runner.set_defaults(command=run)
    verifier = commands.add_parser("conformance", help="check whether this host's hypervisors keep the contract")
    verifier.add_argument("--hypervisor", choices=("kvm", "sim"), action="append", help="only this one")
    verifier.add_argument("--json", action="store_true", help="print one JSON object")
    verifier.set_defaults(command=conformance)
    examiner = commands.add_parser("doctor", help="say what this host can do, and what to do where it cannot")
    examiner.add_argument("--json", action="store_true", help="print one JSON object")
    examiner.set_defaults(command=doctor)
    return parser


def _read(file: str) -> bytes:
    return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()


def _bounded(scenario: Scenario) -> Scenario:
    if scenario.limits.seconds is not None:
        return scenario
    return msgspec.structs.replace(scenario, limits=msgspec.structs.replace(scenario.limits, seconds=LONGEST_RUN))


def _print_json(value: Any) -> None:
    print(msgspec.json.encode(value).decode())


def _print_outcome(outcome: Outcome) -> None:
    exits = ", ".join(f"{count} {kind}" for kind, count in outcome.exits.items()) or "none"
    print(f"hypervisor  {outcome.hypervisor}")
    print(f"stopped     {outcome.stopped} after {outcome.seconds:.3f} s")
    print(f"exits       {exits}")
    if outcome.hypercalls or outcome.vtl_switches:
        print(f"hypercalls  {_hypercalls(outcome)}; {outcome.vtl_switches} VTL switches")
    print(f"dirty       {' '.join(outcome.dirty) or 'no page'}")
    if outcome.dirty_lost:
        print("            the host lost entries of a dirty ring: these are all logged pages")
    print(f"memory      sha256 {outcome.memory_sha256}")
    for denied in outcome.protection[:10]:
        print(f"  vCPU {denied.vcpu} VTL{denied.vtl} {denied.access} of {denied.gpa} denied at rip {denied.rip}")
    if len(outcome.protection) > 10:
        print(f"  and {len(outcome.protection) - 10} more; --json lists them all")


def _hypercalls(outcome: Outcome) -> str:
    """By status, the commonest first."""
    counts = Counter(called.status for called in outcome.hypercalls)
    return ", ".join(f"{count} {status}" for status, count in counts.most_common()) or "none"


def _diagnosis(finding: Finding) -> str:
    if not finding.usable:
        return f"{finding.hypervisor}: no. {finding.problem}"
    text = f"{finding.hypervisor}: yes, {finding.label}; masks it can enforce: {', '.join(finding.masks)}"
    if finding.refused_masks:
        text += f"; not {', '.join(finding.refused_masks)}: {finding.mask_reason}"
    if finding.ring_reason:
        text += f". Dirty rings: {finding.ring_reason}"
    lines = [text, f"  has {', '.join(finding.extensions) or 'no extension'}"]
    return "\n".join(lines + [f"  lacks {name}: {reason}" for name, reason in finding.lacks.items()])


def _complain(status: int, *lines: str) -> int:
    for line in lines:
        print(f"ringfence: {line}", file=sys.stderr)
    return status

"""The conformance report in words."""

from collections import Counter
from collections.abc import Iterator

from engine.conformance.report import Line, Report


def conformance_text(report: Report) -> Iterator[str]:
    """A line a subject for each hypervisor, and below it every check that did not pass, with the reason."""
    for one in report.hypervisors:
        yield f"{one.hypervisor}: {one.problem or one.label}"
        if one.problem:
            continue
        for subject in dict.fromkeys(line.subject for line in report.checks):
            lines = [line for line in report.checks if line.subject == subject]
            yield f"  {subject:10} {_counted(lines, one.hypervisor)}"
            yield from _others(lines, one.hypervisor)
        yield f"  {'all':10} {_counted(report.checks, one.hypervisor)}"


def _counted(lines: list[Line], hypervisor: str) -> str:
    counts = Counter(line.answers[hypervisor].verdict for line in lines)
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items())


def _others(lines: list[Line], hypervisor: str) -> Iterator[str]:
    for line in lines:
        found = line.answers[hypervisor]
        if found.reason:
            yield f"    {found.verdict.upper()} {line.id}: {found.reason}"

"""The report as the page shows it: subjects in their order, a cell for each hypervisor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.render import View
from engine.conformance.report import Answer, Examinee, Line, Report

SUBJECTS = {
    "slots": "Memslots",
    "dirty": "Dirty pages: the log, read and cleared",
    "ring": "Dirty pages: the ring",
    "exits": "Exits",
    "exceptions": "Exceptions",
    "denied": "Denied accesses",
    "once": "Exactly once after relaxing the mask",
    "masks": "Masks",
    "vtls": "VTLs",
    "proposals": "Proposals, in no kernel",
}
_MARKS = {
    "pass": ("P", "pass", "pass"),
    "fail": ("F", "fail", "fail"),
    "not possible": ("N", "cannot", "not possible here"),
}


@dataclass(frozen=True)
class Cell:
    """`mark`: a letter beside the word; `look`: its CSS class."""

    mark: str
    look: str
    word: str
    reason: str


@dataclass(frozen=True)
class Row:
    id: str
    says: str
    source: str
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Group:
    id: str
    title: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class Column:
    """How far one hypervisor has come."""

    name: str
    label: str
    answered: int
    counts: str


@dataclass(frozen=True)
class ReportView:
    """`asked`: how many checks there are."""

    state: str
    kernel: str
    failed: int
    asked: int
    columns: Sequence[Column]
    groups: Sequence[Group]


@dataclass(frozen=True)
class ConformancePage(View):
    template: ClassVar[str] = "conformance.html"
    report: ReportView


@dataclass(frozen=True)
class ConformancePart(View):
    template: ClassVar[str] = "_conformance.html"
    report: ReportView


def view(report: Report) -> ReportView:
    names = [one.hypervisor for one in report.hypervisors]
    subjects = dict.fromkeys(line.subject for line in report.checks)
    return ReportView(
        state=report.state,
        kernel=report.kernel,
        failed=report.failed,
        asked=len(report.checks),
        columns=[_column(one) for one in report.hypervisors],
        groups=[Group(one, SUBJECTS[one], _rows(report.checks, one, names)) for one in subjects],
    )


def _column(one: Examinee) -> Column:
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(one.counts.items(), reverse=True))
    return Column(one.hypervisor, one.problem or one.label, sum(one.counts.values()), counts)


def _rows(checks: Sequence[Line], subject: str, names: Sequence[str]) -> list[Row]:
    return [
        Row(line.id, line.says, line.source, [_cell(line.answers.get(name)) for name in names])
        for line in checks
        if line.subject == subject
    ]


def _cell(answer: Answer | None) -> Cell:
    if answer is None:
        return Cell("·", "open", "not asked yet", "")
    mark, look, word = _MARKS[answer.verdict]
    return Cell(mark, look, word, answer.reason)

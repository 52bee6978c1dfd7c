"""The report as the page shows it."""

from app.conformance.view import SUBJECTS, view
from engine.conformance.catalogue import BY_ID
from engine.conformance.catalogue import SUBJECTS as DECLARED
from engine.conformance.examine import Result
from engine.conformance.report import Record


def test_every_subject_has_a_title() -> None:
    assert [subject.name for subject in DECLARED if subject.name not in SUBJECTS] == []


def test_a_verdict_is_a_letter_and_a_word_with_its_reason() -> None:
    first, second, third, fourth = list(BY_ID)[:4]
    record = Record(["sim"])
    record.open("sim", "a simulator", "")
    for result in (Result(first, "pass"), Result(second, "fail", "why"), Result(third, "not possible", "why not")):
        record.add("sim", result)
    shown = view(record.report("running"))
    cells = {row.id: row.cells[0] for group in shown.groups for row in group.rows}
    assert [(cells[id].mark, cells[id].reason) for id in (first, second, third, fourth)] == [
        ("P", ""),
        ("F", "why"),
        ("N", "why not"),
        ("·", ""),
    ]
    assert (shown.failed, shown.columns[0].answered, shown.asked) == (1, 3, len(BY_ID))

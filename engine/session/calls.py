"""Calls through the hypercall page as the screen shows them: the registers decoded, and what came of it."""

from engine.model.events import HypercallServed, VtlSwitched
from engine.model.exits import AnyExit, HypercallExit
from engine.session.call_parameters import element_texts, header_words, output_words
from engine.session.status import CallRecord, SwitchRecord
from engine.vsm.control import InputValue

MOST_SHOWN = 64
"""Reps that a record has; the log has them all."""
Outcome = HypercallServed | VtlSwitched
"""What the log tells right after the exit that brought it."""


def call_record(exit: AnyExit, outcome: Outcome | None) -> CallRecord | None:
    """None for what was no hypercall, or was never served as one."""
    if not isinstance(exit, HypercallExit) or not isinstance(outcome, HypercallServed):
        return None
    given = InputValue.decode(exit.input)
    done = max(0, outcome.reps - given.rep_start)
    return CallRecord(
        name=outcome.call,
        code=given.code,
        fast=given.fast,
        start=given.rep_start,
        count=given.rep_count,
        reps=outcome.reps,
        rdx=exit.rdx,
        r8=exit.r8,
        status=outcome.status,
        finished=outcome.finished,
        why=outcome.why,
        fields=header_words(given.code, outcome.header),
        elements=element_texts(given.code, outcome.elements[:MOST_SHOWN], outcome.output, done),
        output=output_words(given.code, outcome.output),
    )


def switch_record(outcome: Outcome | None) -> SwitchRecord | None:
    if not isinstance(outcome, VtlSwitched):
        return None
    return SwitchRecord(outcome.from_vtl, outcome.to_vtl, outcome.reason)

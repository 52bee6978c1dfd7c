"""Whatever a check does, there is a verdict with its reason."""

import errno

import pytest

from engine.conformance.check import Body, Check, Subject, answers, equal
from engine.conformance.examine import Verdict, examine
from engine.conformance.guest import Factory
from engine.hypervisor.contract.errors import HypervisorError, Unsupported
from engine.hypervisor.sim.partition import SimHypervisor


def refuse() -> None:
    raise HypervisorError(errno.EEXIST, "a call", "an argument", 1, "its rule")


def refuse_without_a_rule() -> None:
    raise HypervisorError(errno.EEXIST, "a call")


def unsupported(_: Factory) -> None:
    raise Unsupported("an ability", "this host has none")


CASES: list[tuple[Body, Verdict]] = [
    (lambda make: equal(1, 1, "a number"), "pass"),
    (lambda make: equal({0x1000}, {0x2000}, "pages"), "fail"),
    (lambda make: answers(refuse, errno.EEXIST), "pass"),
    (lambda make: answers(refuse_without_a_rule, errno.EEXIST), "fail"),
    (lambda make: answers(refuse, 0), "fail"),
    (lambda make: answers(lambda: None, errno.EINVAL), "fail"),
    (lambda make: make.guest().load("no such instruction"), "fail"),
    (lambda make: make.guest().drive(), "fail"),
    (unsupported, "not possible"),
]


@pytest.mark.parametrize(("body", "verdict"), CASES)
def test_a_verdict_and_why(body: Body, verdict: Verdict) -> None:
    result = examine(SimHypervisor(), Check("a.check", "a", "It holds.", "a book", body))
    assert (result.check, result.verdict) == ("a.check", verdict)
    assert bool(result.reason) == (verdict != "pass")


def test_what_a_check_made_is_closed() -> None:
    made: list[Factory] = []

    def keep(make: Factory) -> None:
        made.append(make)
        make.vm()

    examine(SimHypervisor(), Check("a.check", "a", "It holds.", "a book", keep))
    assert made[0].close() is None


def test_a_subject_names_its_checks() -> None:
    subject = Subject("slots")

    @subject.check("move a slot", "a book")
    def _moved(make: Factory) -> None:
        """A slot is
        moved."""

    (check,) = subject.checks
    assert (check.id, check.subject, check.source) == ("slots.move-a-slot", "slots", "a book")
    assert check.says == "A slot is moved."

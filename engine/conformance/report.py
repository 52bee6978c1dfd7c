"""The conformance report: per check and hypervisor pass, fail or not possible here, with the reason."""

import platform
from collections import Counter
from collections.abc import Sequence

import msgspec

from engine.conformance.catalogue import CHECKS
from engine.conformance.examine import Result


class Examinee(msgspec.Struct, frozen=True):
    """One hypervisor; `problem` says why it cannot be used here. `counts` by verdict."""

    hypervisor: str
    label: str
    problem: str
    counts: dict[str, int]


class Answer(msgspec.Struct, frozen=True):
    """`verdict`: pass, fail or not possible; `reason` is empty when it passed."""

    verdict: str
    reason: str
    seconds: float


class Line(msgspec.Struct, frozen=True):
    """One check; `answers` by hypervisor, those that are in."""

    id: str
    subject: str
    says: str
    source: str
    answers: dict[str, Answer]


class Report(msgspec.Struct, frozen=True):
    """`state`: new, running or done. `failed`: how many answers are a fail."""

    state: str
    kernel: str
    failed: int
    hypervisors: list[Examinee]
    checks: list[Line]


class Record:
    """Answers as they come in."""

    def __init__(self, hypervisors: Sequence[str]) -> None:
        self._opened: dict[str, tuple[str, str]] = dict.fromkeys(hypervisors, ("", ""))
        self._results: dict[str, dict[str, Result]] = {name: {} for name in hypervisors}

    def open(self, hypervisor: str, label: str, problem: str) -> None:
        self._opened[hypervisor] = label, problem

    def add(self, hypervisor: str, result: Result) -> None:
        self._results[hypervisor][result.check] = result

    def report(self, state: str) -> Report:
        examinees = [
            Examinee(name, *self._opened[name], dict(Counter(result.verdict for result in found.values())))
            for name, found in self._results.items()
        ]
        return Report(
            state=state,
            kernel=f"{platform.system()} {platform.release()} {platform.machine()}",
            failed=sum(one.counts.get("fail", 0) for one in examinees),
            hypervisors=examinees,
            checks=[Line(one.id, one.subject, one.says, one.source, self._answers(one.id)) for one in CHECKS],
        )

    def _answers(self, check: str) -> dict[str, Answer]:
        found = {name: results[check] for name, results in self._results.items() if check in results}
        return {name: Answer(one.verdict, one.reason, one.seconds) for name, one in found.items()}

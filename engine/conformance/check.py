"""What a check is: a few lines that drive a small guest and raise when the contract is not kept."""

import errno
import re
from collections.abc import Callable

import msgspec

from engine.conformance.guest import Factory
from engine.hypervisor.contract.errors import HypervisorError

_NUMBER = re.compile(r"\b[1-9]\d+\b")
Body = Callable[[Factory], None]
"""Returns when the contract is kept. Unsupported: it cannot be asked here; anything else raised: it is broken."""


class Broken(Exception):
    """What was seen is not what the contract says."""


class Check(msgspec.Struct, frozen=True):
    """`says` is the sentence that holds where it passes; `source` is who says so."""

    id: str
    subject: str
    says: str
    source: str
    body: Body


class Subject:
    """The checks about one thing, in the order of their declaration."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.checks: list[Check] = []

    def check(self, name: str, source: str) -> Callable[[Body], Body]:
        """Declares the function below it; its docstring is the sentence."""

        def declare(body: Body) -> Body:
            self.add(name, " ".join((body.__doc__ or "").split()), source, body)
            return body

        return declare

    def add(self, name: str, says: str, source: str, body: Body) -> None:
        """One row of a table."""
        self.checks.append(Check(f"{self.name}.{name.replace(' ', '-')}", self.name, says, source, body))


def equal(found: object, wanted: object, what: str) -> None:
    if found != wanted:
        raise Broken(f"{what}: {_shown(found)}, not {_shown(wanted)}")


def answers(act: Callable[[], object], code: int) -> None:
    """`act` is answered with this errno, 0: it is accepted; and what is refused names the rule that was broken."""
    equal(errno_name(errno_of(act)), errno_name(code), "answered with")


def errno_of(act: Callable[[], object]) -> int:
    """0: accepted. Broken where a refusal names no rule."""
    try:
        act()
    except HypervisorError as refused:
        if not refused.rule:
            raise Broken(f"no rule is named: {refused}") from refused
        return refused.errno or -1
    return 0


def errno_name(code: int) -> str:
    return errno.errorcode.get(code, str(code)) if code else "no error"


def _shown(value: object) -> str:
    """Numbers in hex: they are addresses."""
    return _NUMBER.sub(lambda found: hex(int(found[0])), str(value))

"""Putting a hypervisor to a check."""

import time
from typing import Literal

import msgspec

from engine.conformance.check import Check
from engine.conformance.guest import Factory
from engine.hypervisor.contract.errors import Unsupported
from engine.hypervisor.contract.protocols import Hypervisor

Verdict = Literal["pass", "fail", "not possible"]


class Result(msgspec.Struct, frozen=True):
    """What came of one check; `reason` is empty when it passed."""

    check: str
    verdict: Verdict
    reason: str = ""
    seconds: float = 0.0


def examine(hypervisor: Hypervisor, check: Check) -> Result:
    """Whatever is raised is a fail, but for Unsupported: this host cannot be asked, and says why."""
    began = time.monotonic()
    verdict, reason = _ask(hypervisor, check)
    return Result(check.id, verdict, reason, round(time.monotonic() - began, 6))


def _ask(hypervisor: Hypervisor, check: Check) -> tuple[Verdict, str]:
    factory = Factory(hypervisor)
    try:
        check.body(factory)
    except Unsupported as cannot:
        return "not possible", cannot.reason
    except Exception as error:
        return "fail", f"{type(error).__name__}: {error}".rstrip(": ")
    finally:
        factory.close()
    return "pass", ""

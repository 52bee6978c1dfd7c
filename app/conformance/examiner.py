"""Examines a hypervisor in a process of its own: a check that crashes or hangs fails, the others go on in another."""

import asyncio
import resource
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from app.children import Child, Limits, spawn
from app.conformance.messages import Examine, Examined, Opened, from_examiner
from app.sessions.host import ending
from engine import wire
from engine.conformance.examine import Result
from engine.model.scenario import HypervisorChoice

SECONDS = 20.0
"""For one check. The longest takes a fifth of a second; this is for a host that does ten other things."""
_START_SECONDS = 60.0
_LIMITS: Limits = {resource.RLIMIT_AS: 8 << 30, resource.RLIMIT_CORE: 0, resource.RLIMIT_NOFILE: 256}


async def examined(
    hypervisor: HypervisorChoice, checks: Sequence[str], seconds: float = SECONDS
) -> AsyncGenerator[Opened | Result, None]:
    """Opened, and a result for each check, in order, whatever happens."""
    rest = list(checks)
    while rest:
        async with aclosing(_by_one_process(hypervisor, tuple(rest), seconds)) as telling:
            async for told in telling:
                if isinstance(told, Result):
                    rest.remove(told.check)
                yield told


async def _by_one_process(
    hypervisor: HypervisorChoice, checks: Sequence[str], seconds: float
) -> AsyncGenerator[Opened | Result, None]:
    """As far as it gets; when it does not even begin, every check fails."""
    try:
        child = await spawn("app.conformance.examine_process", _LIMITS)
    except OSError as error:
        for check in checks:
            yield Result(check, "fail", f"no process could be started: {error}")
        return
    try:
        child.writer.write(wire.pack(Examine(hypervisor, list(checks))))
        match await _next(child, _START_SECONDS):
            case Opened(problem="") as opened:
                yield opened
                async for result in _results(child, checks, seconds):
                    yield result
            case Opened(problem=problem) as opened:
                yield opened
                for check in checks:
                    yield Result(check, "not possible", problem)
            case death:
                for check in checks:
                    yield Result(check, "fail", str(death))
    finally:
        child.kill()
        await child.wait(1.0)


async def _results(child: Child, checks: Sequence[str], seconds: float) -> AsyncGenerator[Result, None]:
    """Up to the check that it dies of."""
    for check in checks:
        told = await _next(child, seconds)
        if not isinstance(told, Examined):
            yield Result(check, "fail", str(told))
            return
        yield told.result


async def _next(child: Child, seconds: float) -> Opened | Examined | str:
    """What it says next, or how it died."""
    try:
        async with asyncio.timeout(seconds):
            return await wire.receive(child.reader, from_examiner)
    except TimeoutError:
        return f"it did not end within {seconds:g} seconds"
    except (asyncio.IncompleteReadError, ConnectionError):
        return ending(await child.wait(1.0), child.last_words).reason

"""What the process that examines may do: end well, crash, hang."""

import os
import resource
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.conformance.examiner import examined
from app.conformance.messages import Opened
from engine.conformance.catalogue import BY_ID
from engine.conformance.examine import Result

CHECKS = list(BY_ID)


def examiner() -> int:
    """The pid of this process's examiner."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return next(int(pid) for pid in children if "examine_process" in Path(f"/proc/{pid}/cmdline").read_text())


def say_nothing(_: int) -> None: ...


async def results(disturb: Callable[[int], None] = say_nothing, seconds: float = 20.0) -> list[Result]:
    """Of the simulator; `disturb` is called with the examiner's pid after the third."""
    found: list[Result] = []
    async for told in examined("sim", CHECKS, seconds):
        if isinstance(told, Opened):
            assert told.label
            assert told.problem == ""
            continue
        found.append(told)
        if len(found) == 3:
            disturb(examiner())
    return found


async def test_each_check_is_answered_in_order() -> None:
    found = await results()
    assert [one.check for one in found] == CHECKS
    assert Counter(one.verdict for one in found)["fail"] == 0


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)


@pytest.mark.parametrize("disturb", [kill, stop])
async def test_a_check_that_takes_the_process_down_or_hangs_fails_and_the_others_go_on(
    disturb: Callable[[int], None],
) -> None:
    found = await results(disturb, seconds=3.0)
    assert [one.check for one in found] == CHECKS
    (failed,) = (one for one in found if one.verdict == "fail")
    assert failed.reason


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Nothing more can be opened: not even the socket that a process is spoken to by."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_where_no_process_can_be_started_every_check_fails() -> None:
    with no_descriptor_left():
        found = [told async for told in examined("sim", CHECKS)]
    assert [one.verdict for one in found if isinstance(one, Result)] == ["fail"] * len(CHECKS)

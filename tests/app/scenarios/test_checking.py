"""The checker is a process of its own: whatever a text does to it costs one answer."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.scenarios.checking import MOST_ASKING, Checker
from engine.model.layout import MAX_RAM
from engine.model.text import content_id, from_canonical


@pytest.fixture
async def checker() -> AsyncIterator[Checker]:
    made = Checker(MAX_RAM)
    yield made
    await made.close()


def children() -> set[int]:
    """Child processes of this one that are checkers."""
    tasks = Path("/proc/self/task").glob("*/children")
    pids = {int(pid) for task in tasks for pid in task.read_text().split()}
    return {pid for pid in pids if b"check_process" in Path(f"/proc/{pid}/cmdline").read_bytes()}


async def test_a_good_text_becomes_its_canonical_form_and_its_code(checker: Checker, scenario_text: str) -> None:
    checked = await checker.check(scenario_text.encode())
    assert checked.problems == []
    assert checked.id == content_id(from_canonical(checked.canonical))
    assert [(one.vcpu, one.vtl, one.guest) for one in checked.programs] == [(0, 0, "touch")]
    assert all(line.code and line.text for line in checked.programs[0].lines)


async def test_each_vtl_has_its_code_apart(checker: Checker, scenario_text: str) -> None:
    vtl1 = "{guest: kernel, vtl1: {base: 0x218000, guest: monitor}}"
    text = scenario_text.replace("{guest: touch, params: {base: 0x200000, pages: 64}}", vtl1)
    checked = await checker.check(text.encode())
    assert [(one.vtl, one.guest, one.lines[0].address) for one in checked.programs] == [
        (0, "kernel", 0x10000),
        (1, "monitor", 0x218000),
    ]


async def test_ram_beyond_the_server_s_limit_is_a_problem(scenario_text: str) -> None:
    small = Checker(2 << 20)
    checked = await small.check(scenario_text.encode())
    assert "ram" in {problem.path for problem in checked.problems}
    await small.close()


async def test_one_child_serves_all_and_goes_with_close(scenario_text: str) -> None:
    before = children()
    checker = Checker(MAX_RAM)
    await asyncio.gather(*(checker.check(scenario_text.encode()) for _ in range(5)))
    assert len(children() - before) == 1
    await checker.close()
    assert children() == before


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
async def test_a_crash_costs_one_answer(checker: Checker, scenario_text: str, how: signal.Signals) -> None:
    before = children()
    await checker.check(scenario_text.encode())
    (child,) = children() - before
    os.kill(child, how)
    failed = await checker.check(scenario_text.encode())
    assert failed.problems
    assert (await checker.check(scenario_text.encode())).problems == []


async def test_a_hang_costs_one_answer(checker: Checker, scenario_text: str) -> None:
    before = children()
    await checker.check(scenario_text.encode())
    (child,) = children() - before
    os.kill(child, signal.SIGSTOP)
    failed = await checker.check(scenario_text.encode())
    assert "seconds" in failed.problems[0].rule
    assert (await checker.check(scenario_text.encode())).problems == []


async def test_an_answer_that_nobody_waited_for_is_not_the_next_one_s(checker: Checker, scenario_text: str) -> None:
    await checker.check(scenario_text.encode())
    task = asyncio.create_task(checker.check(b"name: nonsense"))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (await checker.check(scenario_text.encode())).problems == []


@pytest.mark.parametrize(
    "line", [".incbin '/etc/passwd'", ".include '/etc/passwd'", ".rept 100000000\nnop\n.endr", ".fill 1000000000"]
)
async def test_assembly_that_reaches_for_files_or_memory_is_a_problem(
    checker: Checker, scenario_text: str, line: str
) -> None:
    asm = "- asm: |\n" + "".join(f"      {part}\n" for part in line.split("\n"))
    text = scenario_text.replace("- {guest: touch, params: {base: 0x200000, pages: 64}}", asm)
    checked = await checker.check(text.encode())
    assert checked.problems[0].path == "vcpus[0].asm"


async def test_a_queue_that_is_too_long_is_told_to_come_again(checker: Checker, scenario_text: str) -> None:
    checked = await asyncio.gather(*(checker.check(scenario_text.encode()) for _ in range(MOST_ASKING + 3)))
    turned_away = [one for one in checked if one.problems]
    assert len(turned_away) == 3
    assert "try again" in turned_away[0].problems[0].rule
    assert (await checker.check(scenario_text.encode())).problems == []

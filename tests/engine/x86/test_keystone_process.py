"""The process around keystone: it answers, it is replaced when it hangs or dies."""

import os
import resource
import signal
import threading
from collections.abc import Iterator

import pytest

from engine.x86.keystone_process import HUNG, KeystoneProcess


@pytest.fixture
def keystone() -> Iterator[KeystoneProcess]:
    process = KeystoneProcess()
    yield process
    process.close()


def test_code_or_an_error_number(keystone: KeystoneProcess) -> None:
    assert keystone.encode("nop\nhlt", 0) == (0, b"\x90\xf4")
    error, code = keystone.encode("bogus", 0)
    assert error > 0
    assert code == b""


def test_a_hang_is_told_and_the_next_call_works(keystone: KeystoneProcess) -> None:
    assert keystone.encode("(", 0, deadline=0.3) == (HUNG, b"")
    assert keystone.encode("nop", 0) == (0, b"\x90")


def test_a_dead_child_is_replaced(keystone: KeystoneProcess) -> None:
    keystone.encode("nop", 0)
    child = keystone._child
    assert child is not None
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert keystone.encode("hlt", 0) == (0, b"\xf4")


def test_threads_take_turns(keystone: KeystoneProcess) -> None:
    answers: list[tuple[int, bytes]] = []
    calls = [threading.Thread(target=lambda n=n: answers.append(keystone.encode(f"mov eax, {n}", 0))) for n in range(8)]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert sorted(code[1] for _, code in answers) == list(range(8))


def test_a_process_with_many_descriptors_assembles_as_well(keystone: KeystoneProcess) -> None:
    """As a server with a thousand viewers has: the child's pipes are numbered above 1023."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2048)), hard))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        assert keystone.encode("hlt", 0) == (0, b"\xf4")
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

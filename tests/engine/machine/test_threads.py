"""A vCPU that stays in the guest is the host's fault: what is asked meanwhile is answered all the same."""

import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from engine.machine import threads
from engine.machine.machine import Machine
from engine.machine.threads import ThreadedRunner
from engine.model.exits import HltExit


class StuckVcpu:
    """Enters the guest and hears no kick, until it is let go."""

    index = vtl = 0

    def __init__(self) -> None:
        self.inside, self.let_go = threading.Event(), threading.Event()

    def run(self) -> HltExit:
        self.inside.set()
        self.let_go.wait()
        return HltExit(vcpu=0, vtl=0, rip=0, raw="")

    def kick(self) -> None:
        pass


@pytest.fixture
def stuck(scenario) -> Iterator[tuple[Machine, ThreadedRunner]]:
    vcpu = StuckVcpu()
    vm = SimpleNamespace(capabilities=SimpleNamespace(counts_instructions=False, mbec=False))
    machine = Machine(vm, [vcpu], scenario(vcpus=[{"guest": "spin"}]), lambda kind, fields: None)
    runner = ThreadedRunner(machine)
    runner.perform(lambda: machine.set_phase("running"))
    runner.wake()
    vcpu.inside.wait()
    yield machine, runner
    vcpu.let_go.set()
    runner.close()


def test_stopping_ends_with_an_error_in_its_time(stuck, monkeypatch) -> None:
    machine, runner = stuck
    monkeypatch.setattr(threads, "STOP_LIMIT", 0.2)
    runner.perform(lambda: machine.set_phase("paused"))
    started = time.monotonic()
    with pytest.raises(TimeoutError, match="stayed in the guest"):
        runner.stop()
    assert time.monotonic() - started < 2.0


def test_it_is_told_apart_from_one_that_is_out(stuck) -> None:
    machine, runner = stuck
    runner.perform(lambda: machine.set_phase("paused"))
    assert runner.perform(lambda: runner.still(0.05)) is False
    machine.vcpus[0].let_go.set()
    assert runner.perform(lambda: runner.still(5.0)) is True

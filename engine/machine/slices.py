"""Sliced vCPUs: one executor runs them in turn, in slices whose lengths come from the scenario's seed.

Between slices there are places where calls are carried out, numbered from 0: place 2n is before slice n, place
2n+1 after it, before its exit is taken. A call's place is in the log; given again at the same places, the same calls
make the same run.
"""

import queue
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import NoReturn, Protocol, TypeVar

from engine.hypervisor.contract.protocols import Vcpu
from engine.machine.machine import Machine
from engine.model.exits import Interrupted

T = TypeVar("T")
SHORTEST_SLICE = 2_000
LONGEST_SLICE = 10_000
"""Guest instructions; from 2,000 on a slice's fixed cost does not show (measured)."""
LONGEST_WAIT = 500
"""Of a vCPU for which an interrupt waits. Until it lets that in, the simulator executes one instruction at a time, each
in up to 1.5 ms where straight code lies ahead that is to be translated (measured); no call is served meanwhile."""


class Finished(Exception):
    """No call will ever come again."""


class Calls(Protocol):
    """Where calls come from: live, or out of a log."""

    def next(self, position: int, patience: float | None) -> Callable[[], None] | None:
        """A call for this place; None when there is none within `patience` seconds (None: wait). Finished."""
        ...


class LiveCalls:
    """Calls from other threads, carried out at whatever place comes next."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def put(self, call: Callable[[], None]) -> None:
        self._queue.put(call)

    def next(self, position: int, patience: float | None) -> Callable[[], None] | None:
        try:
            return self._queue.get(block=patience != 0, timeout=patience)
        except queue.Empty:
            return None


def run_slices(machine: Machine, calls: Calls) -> NoReturn:
    """Run until `calls` raises Finished."""
    lengths = random.Random(machine.scenario.seed)
    turn = 0
    while True:
        _serve(machine, calls, lambda: 0.0 if machine.gate.is_open else None)
        vcpu = _next_vcpu(machine, turn)
        turn = vcpu.index + 1
        if not machine.ready(vcpu):
            continue
        exit = vcpu.run(_budget(machine, vcpu, lengths))
        machine.position += 1
        if not isinstance(exit, Interrupted):
            _serve(machine, calls, lambda: machine.gate.delay(time.monotonic()))
            machine.take(vcpu, exit)
        machine.position += 1
        _end_at_instruction_limit(machine)


def _serve(machine: Machine, calls: Calls, delay: Callable[[], float | None]) -> None:
    """Carry out the calls of this place; go on once there is none and `delay` says 0."""
    while True:
        call = calls.next(machine.position, delay())
        if call is not None:
            call()
        elif delay() == 0.0:
            return


def _next_vcpu(machine: Machine, turn: int) -> Vcpu:
    """The next vCPU in the round that may run; an open gate means there is one."""
    count = len(machine.vcpus)
    order = (machine.vcpus[(turn + i) % count] for i in range(count))
    return next(vcpu for vcpu in order if machine.may_run(vcpu.index))


def _budget(machine: Machine, vcpu: Vcpu, lengths: random.Random) -> int:
    budget = lengths.randint(SHORTEST_SLICE, LONGEST_SLICE)
    if vcpu.index in machine.vsm.due:
        budget = min(budget, LONGEST_WAIT)
    limit = machine.scenario.limits.instructions
    return budget if limit is None else max(1, min(budget, limit - (machine.instructions or 0)))


def _end_at_instruction_limit(machine: Machine) -> None:
    limit = machine.scenario.limits.instructions
    machine.run_script()
    if limit is not None and machine.gate.is_open and (machine.instructions or 0) >= limit:
        machine.set_phase("ended", "limit:instructions")


class SlicedRunner:
    """run_slices in a thread of its own, fed by calls from others."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._calls = LiveCalls()
        self._thread = threading.Thread(target=self._guarded, name="executor", daemon=True)
        self._thread.start()

    def perform(self, call: Callable[[], T]) -> T:
        if threading.current_thread() is self._thread:
            return call()
        done: Future[T] = Future()
        self._calls.put(lambda: _settle(done, call))
        while self._thread.is_alive():
            try:
                return done.result(timeout=1.0)
            except TimeoutError:
                if done.done():
                    raise
        return done.result(timeout=0)

    def wake(self) -> None:
        self._calls.put(lambda: None)

    def stop(self) -> None:
        self.perform(lambda: None)

    def still(self, patience: float) -> bool:
        return True  # calls are carried out between slices

    def close(self) -> None:
        self._calls.put(_finish)
        self._thread.join()

    def _guarded(self) -> None:
        try:
            run_slices(self._machine, self._calls)
        except Finished:
            return
        except Exception as error:
            for vcpu in self._machine.vcpus:
                self._machine.fail(vcpu.index, error)
            self._serve_the_dead()

    def _serve_the_dead(self) -> None:
        """After a fault: nothing runs any more, but calls are still answered."""
        while True:
            call = self._calls.next(0, None)
            try:
                if call is not None:
                    call()
            except Finished:
                return


def _settle(done: "Future[T]", call: Callable[[], T]) -> None:
    try:
        done.set_result(call())
    except Exception as error:
        done.set_exception(error)


def _finish() -> None:
    raise Finished

"""Concurrent vCPUs: one thread each, as KVM wants it. Calls are allowed while they run."""

import threading
import time
from _thread import allocate_lock
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from engine.hypervisor.contract.protocols import Vcpu
from engine.machine.machine import Machine
from engine.model.exits import AnyExit, Interrupted

T = TypeVar("T")
STOP_LIMIT = 5.0
"""Seconds. A vCPU that does not come out in this time is a fault of the host. Less than anybody waits for an answer."""
_KICK_AGAIN = 0.02


class Place:
    """Where a vCPU's thread waits while it may not run. Bare locks, for a stop waits on every one of them.

    `running` is held from before it enters the guest until it is out for good; `go` is free once it should look again.
    """

    def __init__(self) -> None:
        self.running, self.go = allocate_lock(), allocate_lock()
        self.go.acquire()

    def wake(self) -> None:
        with suppress(RuntimeError):  # it is free already
            self.go.release()

    def await_out(self, seconds: float) -> bool:
        """Whether it is out, or comes out in that time; it stays so while the gate is closed."""
        if not self.running.acquire(timeout=seconds):
            return False
        self.running.release()
        return True


class ThreadedRunner:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._changed = threading.Condition(machine.lock)
        self._closing = False
        self._places = [Place() for _ in machine.vcpus]
        machine.on_ready = self._wake_places
        self._threads = [
            threading.Thread(target=self._guarded, args=(vcpu, place), name=f"vcpu {vcpu.index}", daemon=True)
            for vcpu, place in zip(machine.vcpus, self._places, strict=True)
        ]
        for thread in self._threads:
            thread.start()

    def perform(self, call: Callable[[], T]) -> T:
        with self._changed:
            return call()

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
        self._wake_places()

    def stop(self) -> None:
        limit = time.monotonic() + STOP_LIMIT
        for vcpu, place in zip(self._machine.vcpus, self._places, strict=True):
            # Closing the gate has kicked them all; that kick is not to be lost, but a host may be late.
            while not place.await_out(_KICK_AGAIN):
                if time.monotonic() > limit:
                    raise TimeoutError(f"a vCPU stayed in the guest for {STOP_LIMIT} s after a kick")
                vcpu.kick()

    def still(self, patience: float) -> bool:
        limit = time.monotonic() + patience
        while any(place.running.locked() for place in self._places):
            if time.monotonic() >= limit:
                return False
            self._changed.wait(0.001)  # lets go of the machine, which a vCPU on its way out may need
        return True

    def close(self) -> None:
        self._closing = True
        for vcpu in self._machine.vcpus:
            vcpu.kick()
        self.wake()
        self.stop()
        for thread in self._threads:
            thread.join()

    def _wake_places(self) -> None:
        for place in self._places:
            place.wake()

    def _guarded(self, vcpu: Vcpu, place: Place) -> None:
        with place.running:
            try:
                self._loop(vcpu, place)
            except Exception as error:
                with self._changed:
                    self._machine.fail(vcpu.index, error)

    def _loop(self, vcpu: Vcpu, place: Place) -> None:
        held: AnyExit | None = None
        while self._may_enter(vcpu, place):
            if held is None and self._machine.ready(vcpu):
                held = self._run(vcpu)
            if held is not None:
                with self._changed:
                    held = self._offer(vcpu, held)

    def _run(self, vcpu: Vcpu) -> AnyExit | None:
        exit = vcpu.run()
        return None if isinstance(exit, Interrupted) else exit

    def _may_enter(self, vcpu: Vcpu, place: Place) -> bool:
        """Wait until this vCPU may run; False at the end."""
        machine = self._machine
        while not machine.may_run(vcpu.index) or self._closing:
            if self._closing:
                return False
            place.running.release()
            place.go.acquire()
            place.running.acquire()
        return True

    def _offer(self, vcpu: Vcpu, exit: AnyExit) -> AnyExit | None:
        """Bring the exit through the gate; it is given back while the gate is closed."""
        gate = self._machine.gate
        while not self._closing:
            delay = gate.delay(time.monotonic())
            if delay is None:
                return exit
            if delay == 0.0:
                self._machine.take(vcpu, exit)
                return None
            self._changed.wait(delay)
        return exit

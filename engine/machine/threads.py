"""Concurrent vCPUs: one thread each, as KVM wants it. Calls are allowed while they run."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from engine.hypervisor.contract.protocols import Vcpu
from engine.machine.machine import Machine
from engine.model.exits import AnyExit, Interrupted

T = TypeVar("T")
STOP_LIMIT = 5.0
"""Seconds. A vCPU that does not come out in this time is a fault of the host. Less than anybody waits for an answer."""


class ThreadedRunner:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._changed = threading.Condition(machine.lock)
        self._parked = 0
        self._closing = False
        self._threads = [
            threading.Thread(target=self._guarded, args=(vcpu,), name=f"vcpu {vcpu.index}", daemon=True)
            for vcpu in machine.vcpus
        ]
        for thread in self._threads:
            thread.start()

    def perform(self, call: Callable[[], T]) -> T:
        with self._changed:
            return call()

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def stop(self) -> None:
        limit = time.monotonic() + STOP_LIMIT
        with self._changed:
            while self._parked < len(self._threads):
                for vcpu in self._machine.vcpus:
                    vcpu.kick()
                if time.monotonic() > limit:
                    raise TimeoutError(f"a vCPU stayed in the guest for {STOP_LIMIT} s after a kick")
                self._changed.wait(0.02)

    def still(self, patience: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._parked == len(self._threads), patience)

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self.stop()
        for thread in self._threads:
            thread.join()

    def _guarded(self, vcpu: Vcpu) -> None:
        try:
            self._loop(vcpu)
        except Exception as error:
            with self._changed:
                self._machine.fail(vcpu.index, error)
        with self._changed:
            self._parked += 1
            self._changed.notify_all()

    def _loop(self, vcpu: Vcpu) -> None:
        held: AnyExit | None = None
        while self._enter(vcpu):
            if held is None:
                held = self._run(vcpu)
            if held is not None:
                with self._changed:
                    held = self._offer(vcpu, held)

    def _run(self, vcpu: Vcpu) -> AnyExit | None:
        exit = vcpu.run()
        return None if isinstance(exit, Interrupted) else exit

    def _enter(self, vcpu: Vcpu) -> bool:
        """Wait parked until this vCPU may run; False at the end."""
        machine = self._machine
        if machine.gate.is_open and not machine.is_over(vcpu.index) and not self._closing:
            return True
        with self._changed:
            self._parked += 1
            self._changed.notify_all()
            while not self._closing and (machine.is_over(vcpu.index) or not machine.gate.is_open):
                self._changed.wait()
            self._parked -= 1
            return not self._closing

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

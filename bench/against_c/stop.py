"""Stop all of 1, 2, 4 and 8 spinning vCPUs: from the first immediate_exit and signal until the last one is out.

Lean: a thread a vCPU on VcpuFd.enter, a bare lock each to say that it is out. Runner: closing a running machine's gate
and ThreadedRunner.stop, as pausing a session does.
"""

import threading
import time
from _thread import LockType, allocate_lock
from contextlib import closing
from time import perf_counter

from bench.against_c.guests import DATA, SPIN, RawGuest
from bench.contest import Side, contest
from bench.figure import Figure
from bench.guests import forget, hypervisor
from bench.native import samples
from engine.hypervisor.kvm.kick import install_kick_signal, interrupt
from engine.hypervisor.kvm.vcpu_fd import VcpuFd
from engine.machine.build import build
from engine.machine.program import check_scenario
from engine.machine.threads import ThreadedRunner
from engine.model.memslot import Memslot

COUNT = 20
SETTLED = 0.02
"""Seconds until all of them spin, in turn where there are fewer processors; as in bench/c/stop.c."""
BOUND = "at most 1.50"


def measure() -> list[Figure]:
    return [figure for vcpus in (1, 2, 4, 8) for figure in _compared(vcpus)]


def _compared(vcpus: int) -> list[Figure]:
    install_kick_signal()
    lean, whole = Lean(vcpus), Whole(vcpus)
    with closing(lean), closing(whole):
        return contest(
            Side(f"C: stop {vcpus}", "us", lambda: samples("stop", vcpus, COUNT)),
            Side("raw layer", "us", lambda: [lean.stop() for _ in range(COUNT)], BOUND),
            Side("runner", "us", lambda: [whole.stop() for _ in range(COUNT)], BOUND),
        )


class Lean:
    """Parked until `stop`, which lets them run for a moment first."""

    def __init__(self, vcpus: int) -> None:
        self._guest = RawGuest(DATA)
        self._guest.set_slot(Memslot(1, DATA, DATA, DATA), self._guest.data)
        self._workers = [Worker(self._guest.add_vcpu(SPIN, rdi=DATA + (n << 12))) for n in range(vcpus)]

    def stop(self) -> float:
        """Microseconds."""
        for worker in self._workers:
            worker.go.release()
        time.sleep(SETTLED)
        workers = self._workers
        start = perf_counter()
        for worker in workers:
            worker.page[1] = 1
            interrupt(worker.thread)
        for worker in workers:
            worker.out.acquire()
        return (perf_counter() - start) * 1e6

    def close(self) -> None:
        for worker in self._workers:
            worker.end()
        self._guest.close()


class Worker:
    """`go` is released to let it run, `out` by it when it has come out; `page[1]` is kvm_run.immediate_exit."""

    def __init__(self, fd: VcpuFd) -> None:
        self.go, self.out = taken(), taken()
        self.page, self._enter, self._ended = fd.page.u8, fd.enter, False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        self.thread = self._thread.native_id or 0

    def end(self) -> None:
        self._ended = True
        self.go.release()
        self._thread.join()

    def _work(self) -> None:
        while True:
            self.go.acquire()
            if self._ended:
                return
            while not self.page[1]:
                try:
                    self._enter()
                except InterruptedError:
                    continue
            self.page[1] = 0
            self.out.release()


def taken() -> LockType:
    lock = allocate_lock()
    lock.acquire()
    return lock


class Whole:
    """A machine of the product with its runner."""

    def __init__(self, vcpus: int) -> None:
        text: dict[str, object] = {
            "name": "bench",
            "ram": "4MiB",
            "slots": [{"slot": 0, "base": 0, "size": "4MiB"}],
            "vcpus": [{"asm": f"mov edi, {DATA + (n << 12)}\n{SPIN}"} for n in range(vcpus)],
        }
        self._machine = build(hypervisor("kvm"), check_scenario(text), forget)
        self._runner = ThreadedRunner(self._machine)

    def stop(self) -> float:
        """Microseconds."""
        self._runner.perform(lambda: self._machine.set_phase("running"))
        self._runner.wake()
        time.sleep(SETTLED)
        start = perf_counter()
        self._runner.perform(lambda: self._machine.set_phase("paused"))
        self._runner.stop()
        return (perf_counter() - start) * 1e6

    def close(self) -> None:
        self._runner.close()
        self._machine.vm.close()

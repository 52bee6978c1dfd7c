"""KVM_GET_DIRTY_LOG of 262,144 pages, none, 1 % or all of them just written by a vCPU.

Raw: VmFd.get_dirty_log with a request made before, into the same bitmap each time. Contract: Vm.get_dirty_log, the
logs of each VTL's VM and what the VMM wrote itself merged into bytes of their own; the C beside it merges as many.
"""

from collections.abc import Callable
from contextlib import ExitStack, closing
from time import perf_counter

from bench.against_c.guests import CODE, DATA, PORT, TOUCH, RawGuest, contract_guest, run_once
from bench.contest import Side, contest
from bench.figure import Figure
from bench.native import samples
from engine.hypervisor.kvm.log_buffer import LogBuffer
from engine.model.memslot import Memslot, SlotFlags
from engine.model.registers import Registers

PAGES = 262_144
SLOT = Memslot(1, DATA, PAGES << 12, DATA, int(SlotFlags.LOG))
STRIDES = {"none dirty": 0, "1 % dirty": 100, "all dirty": 1}
ROUNDS = {0: (8, 100), 100: (8, 12), 1: (2, 2)}
"""Rounds, and logs in each: writing all the pages takes a second each time."""
BOUND = "at most 1.15"


def measure() -> list[Figure]:
    found: list[Figure] = []
    for name, stride in STRIDES.items():
        found += _raw(name, stride)
        for vtls in (1, 2):
            found += _contract(name, stride, vtls)
    return found


def _raw(name: str, stride: int) -> list[Figure]:
    rounds, count = ROUNDS[stride]
    with closing(RawGuest(SLOT.size)) as guest:
        guest.set_slot(SLOT, guest.data)
        vcpu, log = guest.add_vcpu(TOUCH), LogBuffer()

        def touch() -> None:
            vcpu.set_registers(_start(stride))
            vcpu.enter()
            vcpu.finish()

        return contest(
            Side(f"C: {name}", "us", lambda: samples("dirty_log", 1, stride, count)),
            Side("raw layer", "us", lambda: _times(touch, lambda: log.fill(guest.vm, 1, PAGES // 64), stride), BOUND),
            rounds=rounds,
        )


def _contract(name: str, stride: int, vtls: int) -> list[Figure]:
    rounds, count = ROUNDS[stride]
    with ExitStack() as stack:
        vm, vcpu = contract_guest(vtls, SLOT.size, TOUCH)
        stack.enter_context(closing(vm))
        vm.set_memory_region(SLOT)

        def touch() -> None:
            vcpu.set_registers(_start(stride))
            run_once(vcpu)

        return contest(
            Side(f"C: {name}, {vtls} VMs", "us", lambda: samples("dirty_log", vtls, stride, count)),
            Side(f"contract, {vtls} VTLs", "us", lambda: _times(touch, lambda: vm.get_dirty_log(1), stride), BOUND),
            rounds=rounds,
        )


def _start(stride: int) -> Registers:
    return Registers(rip=CODE, rdx=PORT, rdi=DATA, rbx=stride << 12, rcx=-(-PAGES // stride))


def _times(touch: Callable[[], None], get: Callable[[], object], stride: int) -> list[float]:
    """Microseconds."""
    found: list[float] = []
    for _ in range(ROUNDS[stride][1]):
        if stride:
            touch()
        start = perf_counter()
        get()
        found.append((perf_counter() - start) * 1e6)
    return found

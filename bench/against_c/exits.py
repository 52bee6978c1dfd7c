"""Exits a second of one vCPU, each with its reason and data read: `out; jmp`, and a store to no slot.

Raw: VcpuFd.enter and the views of RunPage, which is what every exit of the engine goes through. Contract: Vcpu.run and
Vcpu.resolve, a typed exit with the instruction's address, bytes and text.
"""

from collections.abc import Callable
from contextlib import ExitStack, closing
from itertools import repeat
from time import perf_counter

from bench.against_c.guests import DATA, NOWHERE, OUT, STORE, RawGuest, contract_guest
from bench.contest import Side, contest
from bench.figure import Figure
from bench.native import samples
from engine.abi import kvm
from engine.abi.kvm import ExitReason
from engine.hypervisor.contract.protocols import Vcpu
from engine.hypervisor.kvm.vcpu_fd import VcpuFd
from engine.model.resolution import Complete

BATCHES = 5
EXITS = 5_000
BOUND = "at least 0.90"


def measure() -> list[Figure]:
    return [*_compared("io", OUT, _io_exits), *_compared("mmio", STORE, _mmio_exits)]


def _compared(kind: str, asm: str, exits: Callable[[VcpuFd, int], None]) -> list[Figure]:
    with ExitStack() as stack:
        raw = stack.enter_context(closing(RawGuest(DATA)))
        lean = raw.add_vcpu(asm, rdi=NOWHERE)
        vm, vcpu = contract_guest(1, DATA, asm, rdi=NOWHERE)
        stack.enter_context(closing(vm))
        return contest(
            Side(f"C: {kind} exits", "/s", lambda: samples("exits", kind, 0, BATCHES, EXITS)),
            Side("C, registers left in kvm_run", "/s", lambda: samples("exits", kind, 1, BATCHES, EXITS)),
            Side("raw layer", "/s", lambda: _rates(lambda: exits(lean, EXITS)), BOUND),
            Side("contract: run and resolve", "/s", lambda: _rates(lambda: _answered(vcpu, EXITS))),
        )


def _rates(batch: Callable[[], None]) -> list[float]:
    found: list[float] = []
    for _ in range(BATCHES):
        start = perf_counter()
        batch()
        found.append(EXITS / (perf_counter() - start))
    return found


def _io_exits(fd: VcpuFd, count: int) -> None:
    enter, u8, u32, u64 = fd.enter, fd.page.u8, fd.page.u32, fd.page.u64
    reason, wanted = kvm.RUN_EXIT_REASON // 4, int(ExitReason.IO)
    for _ in repeat(None, count):
        enter()
        if u32[reason] != wanted:
            raise RuntimeError(f"exit reason {u32[reason]}")
        _what, _data = u64[4], u8[u64[5]]  # direction, size, port and count in one word; where the data is


def _mmio_exits(fd: VcpuFd, count: int) -> None:
    enter, u32, u64 = fd.enter, fd.page.u32, fd.page.u64
    reason, wanted = kvm.RUN_EXIT_REASON // 4, int(ExitReason.MMIO)
    for _ in repeat(None, count):
        enter()
        if u32[reason] != wanted:
            raise RuntimeError(f"exit reason {u32[reason]}")
        _gpa, _data, _how = u64[4], u64[5], u64[6]  # length and direction in one word


def _answered(vcpu: Vcpu, count: int) -> None:
    for _ in range(count):
        vcpu.resolve(vcpu.run(), Complete())

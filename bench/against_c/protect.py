"""Write access taken from 1,000 single pages, seven apart, of a slot that the guest has written, and given back.

Raw: View.protect_runs, whose runs were made before. Contract: Vm.set_mask of a PageSet on VTL 0, which also finds the
runs, keeps the mask and remembers what was changed.
"""

import mmap
from contextlib import closing
from time import perf_counter

import numpy as np

from bench.against_c.guests import CODE, DATA, PORT, TOUCH, RawGuest, contract_guest, run_once
from bench.contest import Side, contest
from bench.figure import Figure
from bench.native import samples
from engine.hypervisor.contract.protocols import Vm
from engine.hypervisor.kvm.views import View
from engine.model.memslot import Memslot
from engine.model.page_set import PageSet
from engine.model.registers import Registers
from engine.model.rights import Rights

SCATTERED, STRIDE = 1_000, 7
PAGES = SCATTERED * STRIDE
COUNT = 8
BOUND = "at most 1.50"
FIRSTS = np.arange(SCATTERED, dtype=np.uint64) * np.uint64(STRIDE)
MASKED = PageSet((DATA >> 12) + n * STRIDE for n in range(SCATTERED))
ONES = np.ones(SCATTERED, np.uint64)
CLOSE, OPEN = bytes([mmap.PROT_READ]) * SCATTERED, bytes([mmap.PROT_READ | mmap.PROT_WRITE]) * SCATTERED


def measure() -> list[Figure]:
    return [*_raw(), *_contract()]


def _raw() -> list[Figure]:
    with closing(RawGuest(PAGES << 12)) as guest:
        guest.set_slot(Memslot(1, DATA, PAGES << 12, DATA), guest.data)
        vcpu = guest.add_vcpu(TOUCH)
        vcpu.set_registers(Registers(rip=CODE, rdx=PORT, rdi=DATA, rbx=1 << 12, rcx=PAGES))
        vcpu.enter()
        return contest(
            Side("C: 1,000 pages closed and opened", "us", lambda: samples("protect", COUNT)),
            Side("raw layer", "us", lambda: [_both(guest.data) for _ in range(COUNT)], BOUND),
        )


def _contract() -> list[Figure]:
    vm, vcpu = contract_guest(2, PAGES << 12, TOUCH, rdi=DATA, rbx=1 << 12, rcx=PAGES)
    with closing(vm):
        vm.set_memory_region(Memslot(1, DATA, PAGES << 12, DATA))
        run_once(vcpu)
        return contest(
            Side("C: 1,000 pages closed and opened", "us", lambda: samples("protect", COUNT)),
            Side("contract, 2 VTLs", "us", lambda: [_set_both(vm) for _ in range(COUNT)], BOUND),
        )


def _set_both(vm: Vm) -> float:
    """Microseconds."""
    start = perf_counter()
    vm.set_mask(0, MASKED, Rights.RX)
    vm.set_mask(0, MASKED, Rights.RWX)
    return (perf_counter() - start) * 1e6


def _both(view: View) -> float:
    """Microseconds."""
    start = perf_counter()
    view.protect_runs(FIRSTS, ONES, CLOSE)
    view.protect_runs(FIRSTS, ONES, OPEN)
    return (perf_counter() - start) * 1e6

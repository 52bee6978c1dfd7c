"""One change to a slot of 64 pages, beside an idle vCPU: added and deleted, moved there and back, logged and not.

Raw: VmFd.set_user_memory_region with requests made before, one KVM VM. Contract: Vm.set_memory_region, which maps and
unmaps a view of RAM in each VTL's VM, names what a refusal broke and remembers what changed; the C beside it changes
as many VMs and maps as many views.
"""

from collections.abc import Callable
from contextlib import ExitStack, closing
from time import perf_counter

from msgspec.structs import replace

from bench.against_c.guests import DATA, OUT, RawGuest, contract_guest, region, run_once, vms
from bench.contest import Side, contest
from bench.figure import Figure
from bench.native import samples
from engine.hypervisor.contract.protocols import Vm
from engine.model.memslot import Memslot, SlotFlags

COUNT = 200
SIZE = 64 << 12
BOUND = "at most 1.10"
SLOT = Memslot(1, DATA, SIZE, DATA)
CHANGES = {
    "add_delete": (replace(SLOT, flags=0), replace(SLOT, size=0)),
    "move": (replace(SLOT, base=DATA + 4 * SIZE), SLOT),
    "flag": (replace(SLOT, flags=int(SlotFlags.LOG)), SLOT),
}
"""What is set there and back, slot 1 being there before all but the first."""


def measure() -> list[Figure]:
    return [figure for name in CHANGES for figure in (*_raw(name), *_contract(name, 1), *_contract(name, 2))]


def _raw(name: str) -> list[Figure]:
    with closing(RawGuest(DATA)) as guest:
        guest.add_vcpu(OUT).enter()
        if name != "add_delete":
            guest.set_slot(SLOT, guest.data)
        there, back = (region(slot, guest.data) for slot in CHANGES[name])
        change, about = guest.vm.set_user_memory_region, ("slot", 1, "")

        def both() -> None:
            change(there, about)
            change(back, about)

        return contest(
            Side(f"C: {name}", "us", lambda: samples("slots", name, 1, 0, COUNT)),
            Side("raw layer", "us", lambda: _times(both), BOUND),
        )


def _contract(name: str, vtls: int) -> list[Figure]:
    with ExitStack() as stack:
        vm, vcpu = contract_guest(vtls, DATA, OUT)
        stack.enter_context(closing(vm))
        run_once(vcpu)
        if name != "add_delete":
            vm.set_memory_region(SLOT)
        count = vms(vm, vtls)
        return contest(
            Side(f"C: {name}, {count} VMs, views", "us", lambda: samples("slots", name, count, 1, COUNT)),
            Side(f"contract, {vtls} VTLs", "us", lambda: _times(lambda: _set_both(vm, name)), BOUND),
        )


def _set_both(vm: Vm, name: str) -> None:
    for slot in CHANGES[name]:
        vm.set_memory_region(slot)


def _times(change: Callable[[], None]) -> list[float]:
    """Microseconds."""
    found: list[float] = []
    for _ in range(COUNT):
        start = perf_counter()
        change()
        found.append((perf_counter() - start) * 1e6)
    return found

"""Law: wherever hypercall pages have been, memory is what it was, but for the pages that are placed now."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.abi.tlfs.interface import HYPERCALL_ENABLE
from engine.hypervisor.sim.partition import SimHypervisor, SimVm
from engine.machine.hypercall_pages import HypercallPages, unplaceable
from engine.model.address import PAGE_SIZE, PageRange
from engine.model.layout import HYPERCALL_PAGE
from engine.model.memslot import Memslot, SlotFlags
from engine.model.rights import Rights
from engine.vsm.state import PartitionState, new_partition
from engine.x86.hypercall_page import page_bytes

RAM = 64 * PAGE_SIZE
START = HYPERCALL_PAGE // PAGE_SIZE
GFNS = (START, 40, 41, 42)
moves = st.tuples(st.sampled_from([0, 1]), st.sampled_from([None, *GFNS]))


@pytest.fixture
def vm() -> Iterator[SimVm]:
    made = SimHypervisor().create_vm(RAM)
    made.set_memory_region(Memslot(0, 0, RAM - 2 * PAGE_SIZE, 0))
    made.set_memory_region(Memslot(1, RAM - PAGE_SIZE, PAGE_SIZE, RAM - PAGE_SIZE, int(SlotFlags.READONLY)))
    yield made
    made.close()


def placed(partition: PartitionState, vtl: int, gfn: int | None) -> PartitionState:
    value = 0 if gfn is None else gfn * PAGE_SIZE | HYPERCALL_ENABLE
    return partition.with_vtl(vtl, lambda old: replace(old, hypercall=value))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(moves, max_size=12))
def test_only_the_pages_that_are_placed_differ(vm: SimVm, sequence: list[tuple[int, int | None]]) -> None:
    """Two VTLs move and take away their pages, also to the same place, as often as they like."""
    memory, pages = vm.memory(), HypercallPages()
    partition = placed(placed(new_partition(1), 0, START), 1, START)
    memory.write(0, bytes(range(256)) * (62 * PAGE_SIZE // 256))
    memory.write(START * PAGE_SIZE, page_bytes())
    before = {gfn: memory.read(gfn * PAGE_SIZE, PAGE_SIZE) for gfn in GFNS} | {START: bytes(PAGE_SIZE)}
    for vtl, gfn in sequence:
        partition = placed(partition, vtl, gfn)
        pages.follow(vm, partition, vtl)
        now = {state.hypercall_page for state in partition.vtls}
        for one in GFNS:
            assert memory.read(one * PAGE_SIZE, PAGE_SIZE) == (page_bytes() if one in now else before[one])


@pytest.mark.parametrize("gfn", [62, 63, 1 << 40], ids=["no slot", "read-only", "beyond"])
def test_where_there_can_be_none(vm: SimVm, gfn: int) -> None:
    assert unplaceable(vm, gfn, 0)


def test_a_vtl_needs_all_rights(vm: SimVm) -> None:
    vm.set_mask(0, PageRange(40, 1), Rights.RX)
    assert (bool(unplaceable(vm, 40, 0)), unplaceable(vm, 40, 1)) == (True, "")

"""Built-in guests, executed: what each does to memory, and that it halts after its rounds."""

import struct
from collections.abc import Iterator

import pytest

from engine.hypervisor.contract.protocols import Vm
from engine.hypervisor.sim.partition import SimHypervisor
from engine.machine.guests import GUESTS
from engine.machine.guests.guest import Parameter
from engine.machine.program import check_scenario, load
from engine.model.exits import HltExit
from engine.model.page_set import PageSet
from engine.model.registers import Registers

BASE = 0x200000
SCENARIO = {
    "name": "guest",
    "ram": "4MiB",
    "slots": [{"slot": 0, "base": 0, "size": "2MiB"}, {"slot": 1, "base": BASE, "size": "2MiB", "flags": ["log"]}],
}


@pytest.fixture
def vm() -> Iterator[Vm]:
    made = SimHypervisor().create_vm(4 << 20)
    yield made
    made.close()


def run(vm: Vm, guest: str, **params: int) -> int:
    """Run to HLT; the number of instructions executed."""
    scenario = check_scenario({**SCENARIO, "vcpus": [{"guest": guest, "params": params}]})
    program = load(scenario)
    for slot in scenario.slots:
        vm.set_memory_region(slot)
    for gpa, data in program.writes:
        vm.memory().write(gpa, data)
    vm.get_dirty_log(1)
    rip, rsp, cr3, _ = program.entries[0]
    vcpu = vm.create_vcpu(0, cr3)
    vcpu.set_registers(Registers(rip=rip, rsp=rsp))
    assert isinstance(vcpu.run(1_000_000), HltExit)
    assert vcpu.instructions is not None
    return vcpu.instructions


def words(vm: Vm, pages: int) -> list[int]:
    """The first eight bytes of each page."""
    return [struct.unpack("<Q", vm.memory().read(BASE + page * 4096, 8))[0] for page in range(pages)]


def dirty(vm: Vm) -> list[str]:
    return PageSet.of_bitmap(vm.get_dirty_log(1), first=BASE >> 12).text()


def test_spin_touches_nothing(vm: Vm) -> None:
    assert run(vm, "spin", rounds=100) == 302
    assert dirty(vm) == []


def test_touch_stores_a_growing_counter_round_robin(vm: Vm) -> None:
    run(vm, "touch", base=BASE, pages=4, rounds=3)
    assert words(vm, 5) == [9, 10, 11, 12, 0]
    assert dirty(vm) == ["0x200000+4"]


def test_touch_with_a_stride_leaves_pages_out(vm: Vm) -> None:
    run(vm, "touch", base=BASE, pages=3, rounds=1, stride=2)
    assert words(vm, 6) == [1, 0, 2, 0, 3, 0]


def test_scatter_stores_where_its_seed_says(vm: Vm) -> None:
    state, expected = 7, [0] * 16
    for _ in range(20):
        state ^= state << 13 & (1 << 64) - 1
        state ^= state >> 7
        state ^= state << 17 & (1 << 64) - 1
        expected[(state >> 32) % 16] = state
    run(vm, "scatter", base=BASE, pages=16, rounds=20, seed=7)
    assert words(vm, 16) == expected


def test_read_leaves_no_trace(vm: Vm) -> None:
    assert run(vm, "read", base=BASE, pages=8, rounds=2) > 8 * 2 * 4
    assert dirty(vm) == []


def test_call_executes_a_ret_in_every_page(vm: Vm) -> None:
    run(vm, "call", base=BASE, pages=3, rounds=2)
    assert [word & 0xFF for word in words(vm, 4)] == [0xC3, 0xC3, 0xC3, 0]
    assert dirty(vm) == ["0x200000+3"]


def test_lockinc_counts_every_round(vm: Vm) -> None:
    run(vm, "lockinc", base=BASE, pages=2, rounds=1000)
    assert words(vm, 3) == [1000, 1000, 0]


def test_faults_takes_three_exceptions_a_round(vm: Vm) -> None:
    run(vm, "faults", base=BASE, rounds=5)
    assert words(vm, 4) == [5, 5, 5, BASE + 0x3000]


@pytest.mark.parametrize("name", [name for name, guest in GUESTS.items() if guest.vtl == 0])
def test_a_guest_without_rounds_goes_on_for_ever(name: str) -> None:
    assert "hlt" not in GUESTS[name].text({})
    assert "hlt" in GUESTS[name].text({"rounds": 1})


@pytest.mark.parametrize(
    ("value", "rule"),
    [(0x2000, ""), (0x1800, "base must be a multiple of 0x1000"), (0x9000, "base goes from 0x0 to 0x8000")],
)
def test_a_parameter_names_the_rule_that_a_value_breaks(value: int, rule: str) -> None:
    assert Parameter("base", 0, "", 0, 0x8000, 0x1000).fault(value) == rule

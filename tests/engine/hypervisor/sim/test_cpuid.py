"""CPUID without a guest: KVM's rules for what the table does not have, and what the default table says."""

import pytest

from engine.hypervisor.sim.cpuid import DEFAULT, cpuid
from engine.model.cpuid import CpuidLeaf
from tests.engine.hypervisor.guest import Guest

INTEL = (0x756E_6547, 0x6C65_746E, 0x4965_6E69)
AMD = (0x6874_7541, 0x444D_4163, 0x6974_6E65)


def _table(vendor: tuple[int, int, int]) -> tuple[CpuidLeaf, ...]:
    return (
        CpuidLeaf(0, None, 0xD, *vendor),
        CpuidLeaf(0xB, 1, 0xB1, edx=7),
        CpuidLeaf(0xD, 0, 1, 2, 3, 4),
        CpuidLeaf(0x4000_0000, None, 0x4000_0001),
        CpuidLeaf(0x8000_0000, None, 0x8000_0004),
    )


BEYOND = [0xE, 0x3FFF_FFFF, 0x4000_0002, 0x8000_0005, 0xC000_0000]


@pytest.mark.parametrize("function", BEYOND)
def test_beyond_its_class_an_intel_processor_answers_with_its_last_basic_leaf(function: int) -> None:
    assert cpuid(_table(INTEL), function, 0) == (1, 2, 3, 4)
    assert cpuid(_table(INTEL), function, 5) == (0, 0, 0, 0)


@pytest.mark.parametrize("function", BEYOND)
def test_an_amd_processor_answers_zeros_there(function: int) -> None:
    assert cpuid(_table(AMD), function, 0) == (0, 0, 0, 0)


@pytest.mark.parametrize("function", [0x7, 0x4000_0001, 0x8000_0004])
def test_a_gap_within_its_class_is_zeros_on_both(function: int) -> None:
    assert cpuid(_table(INTEL), function, 0) == cpuid(_table(AMD), function, 0) == (0, 0, 0, 0)


def test_a_topology_level_that_does_not_exist_is_named_all_the_same() -> None:
    assert cpuid(_table(AMD), 0xB, 3) == (0, 0, 3, 7)


def test_the_default_names_a_hypervisor(sim: Guest) -> None:
    sim.load("mov eax, 1\ncpuid\nmov r8, rcx\nmov eax, 0x40000000\ncpuid\nhlt")
    assert sim.drive() == []
    registers = sim.vcpu.registers()
    assert registers.r8 >> 31 == 1
    name = b"".join(word.to_bytes(4, "little") for word in (registers.rbx, registers.rcx, registers.rdx))
    assert name == b"ringfencesim"


@pytest.mark.parametrize("assembly", ["cmpxchg16b [rdi]", "sfence", "haddps xmm0, xmm1", "lahf", "prefetchw [rdi]"])
def test_what_the_default_announces_is_executed(sim: Guest, assembly: str) -> None:
    sim.load(f"{assembly}\nhlt", rdi=Guest.PAGE)
    assert sim.drive() == []


def test_no_leaf_is_in_the_default_twice() -> None:
    assert len({leaf.function for leaf in DEFAULT}) == len(DEFAULT)

"""What CPUID tells when a hypervisor announces itself."""

from engine.model.cpuid import CpuidLeaf, announced


def test_a_processors_own_leaves_stay_and_another_hypervisors_go() -> None:
    own = (CpuidLeaf(0, None, 1), CpuidLeaf(1, None, 0xF61, 2, 1, 3), CpuidLeaf(0x4000_0100), CpuidLeaf(0x8000_0000))
    new = CpuidLeaf(0x4000_0000, None, 0x4000_0005)
    assert announced(own, (new,)) == (own[0], CpuidLeaf(1, None, 0xF61, 2, 1 << 31 | 1, 3), own[3], new)

"""CPUID leaves between the kernel's form, struct kvm_cpuid2 (api.rst 4.46), and the contract's."""

from engine.abi.kvm_vcpu import CPUID_FLAG_SIGNIFCANT_INDEX, Cpuid, CpuidEntry
from engine.model.cpuid import CpuidLeaf


def table_of(leaves: tuple[CpuidLeaf, ...]) -> Cpuid:
    table = Cpuid(nent=len(leaves))
    for number, leaf in enumerate(leaves):
        table.entries[number] = _entry(leaf)
    return table


def leaves(table: Cpuid) -> tuple[CpuidLeaf, ...]:
    return tuple(_leaf(entry) for entry in table.entries[: table.nent])


def _entry(leaf: CpuidLeaf) -> CpuidEntry:
    flags = 0 if leaf.index is None else CPUID_FLAG_SIGNIFCANT_INDEX
    return CpuidEntry(leaf.function, leaf.index or 0, flags, leaf.eax, leaf.ebx, leaf.ecx, leaf.edx)


def _leaf(entry: CpuidEntry) -> CpuidLeaf:
    index = entry.index if entry.flags & CPUID_FLAG_SIGNIFCANT_INDEX else None
    return CpuidLeaf(entry.function, index, entry.eax, entry.ebx, entry.ecx, entry.edx)

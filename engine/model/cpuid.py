"""A row of what CPUID tells a guest, as in struct kvm_cpuid_entry2 (api.rst 4.46)."""

from collections.abc import Iterable

import msgspec

_FEATURES, _PRESENT = 1, 1 << 31
"""Leaf 1, and its bit of ECX: there is a hypervisor."""
_CLASS = 0x4
"""Of a hypervisor's leaves, 0x40000000 and up: bits 31 to 28."""


class CpuidLeaf(msgspec.Struct, frozen=True, gc=False):
    """The answer to leaf `function`; `index` is the subleaf in ECX that it is for, None where ECX does not matter."""

    function: int
    index: int | None = None
    eax: int = 0
    ebx: int = 0
    ecx: int = 0
    edx: int = 0


def announced(own: Iterable[CpuidLeaf], hypervisor: Iterable[CpuidLeaf]) -> tuple[CpuidLeaf, ...]:
    """A processor's own leaves, with a hypervisor's in place of any other's, and the bit that there is one."""
    kept = (leaf for leaf in own if leaf.function >> 28 != _CLASS)
    return (*(_present(leaf) if leaf.function == _FEATURES else leaf for leaf in kept), *hypervisor)


def _present(leaf: CpuidLeaf) -> CpuidLeaf:
    return msgspec.structs.replace(leaf, ecx=leaf.ecx | _PRESENT)

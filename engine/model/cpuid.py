"""A row of what CPUID tells a guest, as in struct kvm_cpuid_entry2 (api.rst 4.46)."""

import msgspec


class CpuidLeaf(msgspec.Struct, frozen=True, gc=False):
    """The answer to leaf `function`; `index` is the subleaf in ECX that it is for, None where ECX does not matter."""

    function: int
    index: int | None = None
    eax: int = 0
    ebx: int = 0
    ecx: int = 0
    edx: int = 0

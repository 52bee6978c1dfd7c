"""CPUID: what the simulator's processor says it is, and KVM's rules for what its table does not have."""

import struct

from engine.model.cpuid import CpuidLeaf

_AMD = (b"AuthenticAMD", b"HygonGenuine")
_HYPERVISOR = 0x4000_0000
_CENTAUR = 0xC000_0000
_FEATURES_EDX = 0x078B_A97D
"""FPU, DE, PSE, TSC, MSR, PAE, CX8, SEP, PGE, CMOV, PAT, PSE36, CLFSH, MMX, FXSR, SSE, SSE2."""
_FEATURES_ECX = 0x8000_2001
"""SSE3, CX16, and that there is a hypervisor."""
_EXTENDED_EDX = 0x2010_0800
"""SYSCALL, NX, long mode."""
_EXTENDED_ECX = 1
"""LAHF in long mode."""
_WIDTHS = 0x3034
"""52 bits of physical, 48 of linear address."""


def cpuid(leaves: tuple[CpuidLeaf, ...], function: int, index: int) -> tuple[int, int, int, int]:
    """(EAX, EBX, ECX, EDX) as KVM answers from the table (arch/x86/kvm/cpuid.c, kvm_cpuid)."""
    found = _at(leaves, function, index) or _out_of_range(leaves, function, index)
    if found is not None:
        return found.eax, found.ebx, found.ecx, found.edx
    levels = _at(leaves, function, 1) if function in (0xB, 0x1F) else None
    # Of a topology level that does not exist, these two are told all the same.
    return (0, 0, index & 0xFF, levels.edx) if levels is not None else (0, 0, 0, 0)


def _at(leaves: tuple[CpuidLeaf, ...], function: int, index: int) -> CpuidLeaf | None:
    return next((one for one in leaves if one.function == function and one.index in (None, index)), None)


def _out_of_range(leaves: tuple[CpuidLeaf, ...], function: int, index: int) -> CpuidLeaf | None:
    """Beyond its class's last leaf, an Intel processor answers as for its last basic leaf, an AMD processor zeros."""
    basic = _at(leaves, 0, 0)
    if basic is None or _vendor(basic) in _AMD:
        return None
    if _HYPERVISOR <= function < 0x5000_0000:
        first = function & 0xFFFF_FF00
    else:
        first = _CENTAUR if function >= _CENTAUR else function & 0x8000_0000
    within = _at(leaves, first, 0)
    return None if within is not None and function <= within.eax else _at(leaves, basic.eax, index)


def _vendor(basic: CpuidLeaf) -> bytes:
    return struct.pack("<3I", basic.ebx, basic.edx, basic.ecx)


def _vendor_leaf(function: int, highest: int) -> CpuidLeaf:
    ebx, edx, ecx = struct.unpack("<3I", b"AuthenticAMD")
    return CpuidLeaf(function, None, highest, ebx, ecx, edx)


def _brand(text: bytes) -> list[CpuidLeaf]:
    words = struct.unpack("<12I", text.ljust(48, b"\0"))
    return [CpuidLeaf(0x8000_0002 + n, None, *words[4 * n : 4 * n + 4]) for n in range(3)]


DEFAULT = (
    _vendor_leaf(0, 1),
    CpuidLeaf(1, None, 0x0000_0F61, 0x0000_0800, _FEATURES_ECX, _FEATURES_EDX),
    CpuidLeaf(_HYPERVISOR, None, _HYPERVISOR, *struct.unpack("<3I", b"ringfencesim")),
    _vendor_leaf(0x8000_0000, 0x8000_0008),
    CpuidLeaf(0x8000_0001, None, 0x0000_0F61, 0, _EXTENDED_ECX, _EXTENDED_EDX | _FEATURES_EDX & 0x0183_F3FF),
    *_brand(b"ringfence simulator"),
    CpuidLeaf(0x8000_0008, None, _WIDTHS),
)
"""The same on every host. What it announces, the engine executes."""

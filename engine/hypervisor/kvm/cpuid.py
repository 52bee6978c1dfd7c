"""What CPUID tells a guest, between the kernel's form and ours, and set for all vCPUs that stand for one."""

from engine.abi.kvm_vcpu import CPUID_FLAG_SIGNIFCANT_INDEX, Cpuid, CpuidEntry
from engine.hypervisor.kvm.vcpu_fd import VcpuFd
from engine.model.cpuid import CpuidLeaf


def set_table(fds: list[VcpuFd], leaves: tuple[CpuidLeaf, ...]) -> None:
    """All or none. EINVAL once one of them has run, unless the table is the one it has (api.rst 4.46)."""
    table = Cpuid(nent=len(leaves))
    for number, leaf in enumerate(leaves):
        table.entries[number] = _entry(leaf)
    done: list[tuple[VcpuFd, Cpuid]] = []
    try:
        for fd in fds:
            before = fd.cpuid
            fd.set_cpuid(table)
            done.append((fd, before))
    except BaseException:
        for fd, before in done:
            fd.set_cpuid(before)
        raise


def leaves(table: Cpuid) -> tuple[CpuidLeaf, ...]:
    return tuple(_leaf(entry) for entry in table.entries[: table.nent])


def _leaf(entry: CpuidEntry) -> CpuidLeaf:
    index = entry.index if entry.flags & CPUID_FLAG_SIGNIFCANT_INDEX else None
    return CpuidLeaf(entry.function, index, entry.eax, entry.ebx, entry.ecx, entry.edx)


def _entry(leaf: CpuidLeaf) -> CpuidEntry:
    flags = 0 if leaf.index is None else CPUID_FLAG_SIGNIFCANT_INDEX
    return CpuidEntry(leaf.function, leaf.index or 0, flags, leaf.eax, leaf.ebx, leaf.ecx, leaf.edx)

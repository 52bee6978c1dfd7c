"""What CPUID tells a guest, set for all vCPUs that stand for one."""

from engine.abi.kvm_vcpu import Cpuid
from engine.hypervisor.kvm.cpuid_table import table_of
from engine.hypervisor.kvm.vcpu_fd import VcpuFd
from engine.model.cpuid import CpuidLeaf


def set_table(fds: list[VcpuFd], leaves: tuple[CpuidLeaf, ...]) -> None:
    """All or none. EINVAL once one of them has run, unless the table is the one it has (api.rst 4.46)."""
    table = table_of(leaves)
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

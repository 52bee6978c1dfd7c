"""RDMSR and WRMSR that KVM leaves to the VMM (api.rst 5, KVM_EXIT_X86_RDMSR): turned on, read, answered."""

from engine.abi.kvm import Cap, ExitReason
from engine.abi.kvm_vcpu import MSR_EXIT_REASON_INVAL, MSR_EXIT_REASON_UNKNOWN
from engine.hypervisor.contract.errors import Unsupported
from engine.hypervisor.kvm.origin import at_rip
from engine.hypervisor.kvm.pending import Msr
from engine.hypervisor.kvm.run_page import RIP
from engine.hypervisor.kvm.seat import Seat
from engine.hypervisor.kvm.space import GuestSpace
from engine.hypervisor.kvm.vcpu_fd import VcpuFd
from engine.model.exits import MsrExit
from engine.model.resolution import Complete, Resolution

_SIZE = 8
_RDMSR = int(ExitReason.X86_RDMSR)
_REASONS = {MSR_EXIT_REASON_INVAL: "INVAL", MSR_EXIT_REASON_UNKNOWN: "UNKNOWN"}
"""Which of the two a kernel says of a register it does not have differs (measured: 6.12 and 6.18 UNKNOWN)."""


def enable(space: GuestSpace) -> None:
    """In every VTL's VM, so that helper vCPUs have them too."""
    if not space.vtls[0].vm.extension(Cap.X86_USER_SPACE_MSR):
        raise Unsupported("enable_msr_exits", "this kernel lacks KVM_CAP_X86_USER_SPACE_MSR: Linux 5.10 has it")
    for vtl in space.all_vms():
        vtl.vm.enable_cap(Cap.X86_USER_SPACE_MSR, MSR_EXIT_REASON_INVAL | MSR_EXIT_REASON_UNKNOWN, "")


def read(seat: Seat, vcpu: int) -> Msr:
    """The exit in the active vCPU's page."""
    page = seat.active.page
    incoming = page.u32[2] == _RDMSR
    reason, index, data = page.msr()
    at = at_rip(seat.addresses(), page.u64[RIP])
    exit = MsrExit(
        vcpu=vcpu,
        vtl=seat.vtl,
        rip=at.rip,
        code=at.code,
        text=at.text,
        raw=f"KVM_EXIT_X86_{'RDMSR' if incoming else 'WRMSR'} reason {_REASONS.get(reason, reason)}",
        index=index,
        data=None if incoming else data.to_bytes(_SIZE, "little"),
    )
    return Msr(at, incoming, exit)


def answer(fd: VcpuFd, pending: Msr, resolution: Resolution) -> None:
    """Bytes for an RDMSR, 0 where none are given."""
    data = resolution.data if isinstance(resolution, Complete) else None
    fd.page.put_msr(int.from_bytes((data or b"")[:_SIZE], "little"))

"""RDMSR and WRMSR that KVM leaves to the VMM (api.rst 5, KVM_EXIT_X86_RDMSR): turned on, read, answered."""

import ctypes

from engine.abi.kvm import Cap, ExitReason, Ioctl
from engine.abi.kvm_msr import MSR_FILTER_READ, MSR_FILTER_WRITE, MsrFilter, MsrFilterRange
from engine.abi.kvm_vcpu import MSR_EXIT_REASON_FILTER, MSR_EXIT_REASON_INVAL, MSR_EXIT_REASON_UNKNOWN
from engine.hypervisor.contract.errors import Unsupported
from engine.hypervisor.kvm.ioctl import call
from engine.hypervisor.kvm.origin import at_rip
from engine.hypervisor.kvm.pending import Msr
from engine.hypervisor.kvm.run_page import RIP
from engine.hypervisor.kvm.seat import Seat
from engine.hypervisor.kvm.space import GuestSpace
from engine.hypervisor.kvm.vcpu_fd import VcpuFd
from engine.hypervisor.kvm.vm_fd import VmFd
from engine.model.exits import MsrExit
from engine.model.resolution import Complete, Resolution

_SIZE = 8
_RDMSR = int(ExitReason.X86_RDMSR)
_REASONS = {MSR_EXIT_REASON_INVAL: "INVAL", MSR_EXIT_REASON_UNKNOWN: "UNKNOWN", MSR_EXIT_REASON_FILTER: "FILTER"}
"""Which of the first two a kernel says of a register it does not have differs (measured: 6.12 and 6.18 UNKNOWN)."""
_SYNTHETIC, _COUNT = 0x4000_0000, 0x200
"""Hyper-V's registers, those of crash and reenlightenment included. A KVM with CONFIG_KVM_HYPERV keeps them itself once
CPUID says Hv#1; here they are the VMM's on every kernel."""


def enable(space: GuestSpace) -> None:
    """In every VTL's VM, so that helper vCPUs have them too."""
    for cap in (Cap.X86_USER_SPACE_MSR, Cap.X86_MSR_FILTER):
        if not space.vtls[0].vm.extension(cap):
            raise Unsupported("enable_msr_exits", f"this kernel lacks KVM_CAP_{cap.name}: Linux 5.10 has it")
    for vtl in space.all_vms():
        vtl.vm.enable_cap(Cap.X86_USER_SPACE_MSR, sum(_REASONS), "")
        _withhold(vtl.vm)


def _withhold(vm: VmFd) -> None:
    """Have the guest's accesses to synthetic registers exit with reason FILTER (api.rst 4.127)."""
    denied = (ctypes.c_uint8 * (_COUNT // 8))()
    request = MsrFilter()
    request.ranges[0] = MsrFilterRange(MSR_FILTER_READ | MSR_FILTER_WRITE, _COUNT, _SYNTHETIC, ctypes.addressof(denied))
    call(vm.fd, Ioctl.KVM_X86_SET_MSR_FILTER, request)


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

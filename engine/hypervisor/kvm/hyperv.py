"""KVM's own Hyper-V (KVM_CAP_HYPERV_SYNIC2): turned on, and what it leaves to the VMM (api.rst 5, KVM_EXIT_HYPERV)."""

from engine.abi import kvm_hyperv
from engine.abi.kvm import Cap, Ioctl
from engine.hypervisor.kvm.ioctl import call
from engine.hypervisor.kvm.origin import at_rip
from engine.hypervisor.kvm.pending import Hcall
from engine.hypervisor.kvm.run_page import RIP, RunPage
from engine.hypervisor.kvm.seat import Seat
from engine.hypervisor.kvm.space import GuestSpace
from engine.hypervisor.kvm.vcpu_fd import VcpuFd
from engine.model.exits import HypercallExit, SynicExit
from engine.model.resolution import Complete, Resolution

REASON = "this kernel lacks KVM_CAP_HYPERV_SYNIC2: it is built without CONFIG_KVM_HYPERV"
_SIZE = 8


def offered(device: int) -> bool:
    return call(device, Ioctl.KVM_CHECK_EXTENSION, int(Cap.HYPERV_SYNIC2)) > 0


class KvmHyperV:
    """KernelHyperV of the contract."""

    def __init__(self, space: GuestSpace) -> None:
        self._space = space

    def enable(self) -> None:
        """A SynIC needs a local APIC of the kernel's. In every VTL's VM, so that helper vCPUs have it too."""
        with self._space.lock:
            for vtl in self._space.all_vms():
                vtl.vm.enable_cap(Cap.SPLIT_IRQCHIP, 0, "once, and before the first vCPU")
                vtl.vm.hyperv = True


def is_call(page: RunPage) -> bool:
    return page.u32[kvm_hyperv.RUN_HYPERV_TYPE // 4] == kvm_hyperv.EXIT_HCALL


def read(seat: Seat, vcpu: int) -> Hcall:
    """The call in the active vCPU's page."""
    words, at = seat.active.page.u64, at_rip(seat.addresses(), seat.active.page.u64[RIP])
    first = kvm_hyperv.RUN_HCALL_PARAMS // 8
    exit = HypercallExit(
        vcpu=vcpu,
        vtl=seat.vtl,
        rip=at.rip,
        code=at.code,
        text=at.text,
        raw="KVM_EXIT_HYPERV hcall",
        input=words[kvm_hyperv.RUN_HCALL_INPUT // 8],
        rdx=words[first],
        r8=words[first + 1],
    )
    return Hcall(at, exit)


def answer(fd: VcpuFd, resolution: Resolution) -> None:
    """The result value, 0 where none is given."""
    data = resolution.data if isinstance(resolution, Complete) else None
    fd.page.u64[kvm_hyperv.RUN_HCALL_RESULT // 8] = int.from_bytes((data or b"")[:_SIZE], "little")


def synic(page: RunPage, vcpu: int, vtl: int) -> SynicExit:
    return SynicExit(
        vcpu=vcpu,
        vtl=vtl,
        rip=page.u64[RIP],
        raw="KVM_EXIT_HYPERV synic",
        index=page.u32[kvm_hyperv.RUN_SYNIC_MSR // 4],
        control=page.u64[kvm_hyperv.RUN_SYNIC_CONTROL // 8],
        event_page=page.u64[kvm_hyperv.RUN_SYNIC_EVENT_PAGE // 8],
        message_page=page.u64[kvm_hyperv.RUN_SYNIC_MESSAGE_PAGE // 8],
    )

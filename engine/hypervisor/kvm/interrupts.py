"""An external interrupt for a guest without interrupt controllers in the kernel (api.rst 4.9, KVM_INTERRUPT)."""

from engine.abi.kvm import Ioctl
from engine.abi.kvm_vcpu import Interrupt
from engine.abi.x86 import RFLAGS_IF
from engine.hypervisor.kvm.ioctl import call
from engine.hypervisor.kvm.vcpu_fd import VcpuFd


def take(fd: VcpuFd, vector: int) -> bool:
    """Queue it, if the guest may take one before its next instruction: KVM itself does not ask whether IF is set. Else
    False, and KVM_RUN ends once it may (KVM_EXIT_IRQ_WINDOW_OPEN)."""
    ready = _is_ready(fd)
    fd.page.interrupt_window = not ready
    if ready:
        call(fd.fd, Ioctl.KVM_INTERRUPT, Interrupt(vector))
    return ready


def _is_ready(fd: VcpuFd) -> bool:
    events = fd.events()
    first = events.exception_injected or events.exception_pending or events.interrupt_injected
    return not first and not events.interrupt_shadow and bool(fd.registers().rflags & RFLAGS_IF)

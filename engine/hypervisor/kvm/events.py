"""An exception queued in a vCPU, for KVM to deliver through the guest's IDT when it next enters the guest."""

from msgspec.structs import replace

from engine.abi.x86 import RFLAGS_RF
from engine.hypervisor.contract.errors import Unsupported
from engine.hypervisor.contract.vectors import FAULTS, PAGE_FAULT
from engine.hypervisor.kvm.shared_state import set_cr2
from engine.hypervisor.kvm.vcpu_fd import VcpuFd
from engine.model.resolution import Inject

_SOFT = {3: "INT3", 4: "INTO"}


def require_deliverable(event: Inject) -> None:
    """#BP and #OF are refused: KVM takes them for those of an instruction, and kvm_amd moves RIP past it (measured)."""
    if event.vector in _SOFT:
        raise Unsupported(f"inject vector {event.vector}", f"KVM delivers it as the trap of {_SOFT[event.vector]}")


def queue(fd: VcpuFd, event: Inject) -> None:
    """KVM_SET_VCPU_EVENTS (api.rst 4.32); takes the place of an exception that is queued already."""
    if event.vector == PAGE_FAULT and event.address is not None:
        set_cr2(fd, event.address)
    if event.vector in FAULTS:
        # Hardware and the kernel's emulator differ in whether they set it for an exception that is put in.
        registers = fd.registers()
        fd.set_registers(replace(registers, rflags=registers.rflags | RFLAGS_RF))
    events = fd.events()
    events.exception_injected, events.exception_nr = 1, event.vector
    events.exception_has_error_code = event.error_code is not None
    events.exception_error_code = event.error_code or 0
    # No other event: KVM takes those only where a flag asks it to.
    events.flags = 0
    fd.set_events(events)


def undelivered(fd: VcpuFd) -> int | None:
    """The vector of an exception that the last entry could not deliver, and that the next will try to again.

    Not a pending one: with KVM_EXIT_INTERNAL_ERROR kernels leave a #UD of their own pending (handle_emulation_failure).
    """
    events = fd.events()
    return events.exception_nr if events.exception_injected and not events.exception_pending else None


def forget(fd: VcpuFd) -> None:
    """No exception is queued any more."""
    events = fd.events()
    events.exception_injected = events.exception_pending = events.flags = 0
    fd.set_events(events)

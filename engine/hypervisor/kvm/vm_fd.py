"""One KVM VM: its file descriptor and the calls on it. A guest has one for each of its VTLs."""

import ctypes
import os

from engine.abi.kvm import Cap, DirtyLog, Ioctl, UserspaceMemoryRegion
from engine.hypervisor.kvm.ioctl import call


class VmFd:
    """Owns the fd of KVM_CREATE_VM on the open device `kvm`."""

    def __init__(self, kvm: int) -> None:
        self.kvm = kvm
        self.fd = call(kvm, Ioctl.KVM_CREATE_VM)

    def extension(self, cap: Cap) -> int:
        return call(self.fd, Ioctl.KVM_CHECK_EXTENSION, int(cap))

    def set_user_memory_region(self, region: UserspaceMemoryRegion, about: tuple[str, object, str]) -> None:
        """KVM_SET_USER_MEMORY_REGION (api.rst 4.35); `about` is what a refusal should name."""
        call(self.fd, Ioctl.KVM_SET_USER_MEMORY_REGION, region, about)

    def get_dirty_log(self, slot: int, bitmap: "ctypes.Array[ctypes.c_char]") -> None:
        """Fill `bitmap` with the pages written since the last call, and clear the log (api.rst 4.8)."""
        log = DirtyLog(slot, 0, ctypes.addressof(bitmap))
        call(self.fd, Ioctl.KVM_GET_DIRTY_LOG, log, ("slot", slot, ""))

    def create_vcpu(self, id: int) -> int:
        """The fd of a new vCPU."""
        return call(self.fd, Ioctl.KVM_CREATE_VCPU, id, ("id", id, "not taken, and below KVM_CAP_MAX_VCPU_ID"))

    def close(self) -> None:
        os.close(self.fd)

"""One KVM VM: its file descriptor and the calls on it. A guest has one for each of its VTLs."""

import ctypes
import os

from engine.abi.kvm import Cap, ClearDirtyLog, EnableCap, Ioctl
from engine.hypervisor.kvm.ioctl import CLOSED, call, caller
from engine.hypervisor.kvm.ring import DirtyRing


class VmFd:
    """Owns the fd of KVM_CREATE_VM on the open device `kvm`.

    `set_user_memory_region` takes a UserspaceMemoryRegion (api.rst 4.35), `get_dirty_log` a DirtyLog (api.rst 4.8), so
    that a request made once can be used again; and what a refusal should name.
    """

    def __init__(self, kvm: int) -> None:
        self.kvm = kvm
        self.hyperv = False
        """vCPUs made from now on have KVM's own Hyper-V."""
        self.ring_size = 0
        """Bytes of each vCPU's dirty ring; 0: bitmaps are on."""
        self.rings: list[DirtyRing] = []
        self._take(call(kvm, Ioctl.KVM_CREATE_VM))

    def _take(self, fd: int) -> None:
        self.fd = fd
        self.set_user_memory_region = caller(self.fd, Ioctl.KVM_SET_USER_MEMORY_REGION)
        self.get_dirty_log = caller(self.fd, Ioctl.KVM_GET_DIRTY_LOG)

    def extension(self, cap: Cap) -> int:
        return call(self.fd, Ioctl.KVM_CHECK_EXTENSION, int(cap))

    def clear_dirty_log(self, slot: int, pages: tuple[int, int], bitmap: "ctypes.Array[ctypes.c_char]") -> None:
        """`pages` is (first, number); `bitmap` covers them in whole 64-bit words (api.rst 4.117)."""
        first, count = pages
        log = ClearDirtyLog(slot, count, first, ctypes.addressof(bitmap))
        call(self.fd, Ioctl.KVM_CLEAR_DIRTY_LOG, log, ("pages", f"{first}+{count}", "whole 64-page words of a slot"))

    def enable_cap(self, cap: Cap, argument: int, rule: str) -> None:
        """KVM_ENABLE_CAP (api.rst 4.37)."""
        request = EnableCap(int(cap), 0, (argument, 0, 0, 0))
        call(self.fd, Ioctl.KVM_ENABLE_CAP, request, (f"KVM_CAP_{cap.name}", argument, rule))

    def reset_dirty_rings(self) -> int:
        """How many entries were freed (api.rst 8.29); EINVAL where no ring is on."""
        freed = call(self.fd, Ioctl.KVM_RESET_DIRTY_RINGS, 0, ("", None, "no dirty ring is on"))
        for ring in self.rings:
            ring.was_reset()
        return freed

    def create_vcpu(self, id: int) -> int:
        """The fd of a new vCPU."""
        return call(self.fd, Ioctl.KVM_CREATE_VCPU, id, ("id", id, "not taken, and below KVM_CAP_MAX_VCPU_ID"))

    def close(self) -> None:
        os.close(self.fd)
        self._take(CLOSED)

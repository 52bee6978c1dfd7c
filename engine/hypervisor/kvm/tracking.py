"""Which pages were written, in each of KVM's ways, merged over the VMs that a guest's VTLs are."""

import ctypes
import errno

import numpy as np

from engine.abi.kvm import Cap, Ioctl
from engine.hypervisor.contract.errors import HypervisorError, Unsupported
from engine.hypervisor.kvm.log_buffer import LogBuffer
from engine.hypervisor.kvm.space import GuestSpace
from engine.model.dirty import DirtyPage, DirtyWay, ManualProtect

_GET = Ioctl.KVM_GET_DIRTY_LOG.name
_CLEAR = Ioctl.KVM_CLEAR_DIRTY_LOG.name
_RING = "KVM_CAP_DIRTY_LOG_RING"
_MANUAL = "0, 1 or 3"


class DirtyTracking:
    """The dirty calls of the contract's Vm. Takes the vm's lock itself."""

    def __init__(self, space: GuestSpace) -> None:
        self._space = space
        self.way: DirtyWay = "log"
        self._log, self._further = LogBuffer(), LogBuffer()

    def get_log(self, slot: int) -> bytes:
        if not 0 <= slot < 1 << 32:  # cut to 32 bits it would be another slot, with a longer log than there is room for
            raise HypervisorError(errno.EINVAL, _GET, "slot", slot, f"0 to {(1 << 32) - 1:#x}")
        with self._space.lock:
            present = self._space.slots.by_id.get(slot)
            words = (present.pages.count + 63) // 64 if present else 1
            first, *others = self._space.vtls
            found = self._log.fill(first.vm, slot, words)
            for vtl in others:
                found |= self._further.fill(vtl.vm, slot, words)
            written = self._space.dirty.take(slot) if self.way == "log" else self._space.dirty.peek(slot)
            if written:
                found |= np.frombuffer(written.to_bytes(words * 8, "little"), np.uint64)
            return found.tobytes()

    def clear_log(self, slot: int, first: int, count: int, bitmap: bytes) -> None:
        for name, value, limit in (
            ("slot", slot, 1 << 32),
            ("first_page", first, 1 << 64),
            ("num_pages", count, 1 << 32),
        ):
            if not 0 <= value < limit:
                raise HypervisorError(errno.EINVAL, _CLEAR, name, value, f"0 to {limit - 1:#x}")
        whole = (count + 63) // 64 * 8
        with self._space.lock:
            present = self._space.slots.by_id.get(slot)
            # The kernel reads no more than the slot has. Of a bitmap that is too short it gets none, only the range.
            size = min(whole, (present.pages.count + 63) // 64 * 8 if present else 8)
            buffer = ctypes.create_string_buffer(bitmap[:size] if len(bitmap) >= whole else b"", size)
            for vtl in self._space.vtls:
                vtl.vm.clear_dirty_log(slot, (first, count), buffer)
            if len(bitmap) < whole:
                raise HypervisorError(errno.EFAULT, _CLEAR, "bitmap", len(bitmap), f"{whole} bytes are needed")
            chosen = int.from_bytes(bitmap[:size], "little") & ((1 << count) - 1)
            self._space.dirty.clear(slot, chosen << first)

    def enable_manual_protect(self, flags: int) -> None:
        if flags >> 64:  # the kernel would see its low part, and a negative one is as far out
            raise HypervisorError(
                errno.EINVAL, f"KVM_CAP_{Cap.MANUAL_DIRTY_LOG_PROTECT2.name}", "flags", flags, _MANUAL
            )
        with self._space.lock:
            self._require(Cap.MANUAL_DIRTY_LOG_PROTECT2, "Linux 5.2")
            for vtl in self._space.vtls:
                vtl.vm.enable_cap(Cap.MANUAL_DIRTY_LOG_PROTECT2, flags, _MANUAL)
            if self.way != "ring":
                self.way = "clear" if flags & ManualProtect.ENABLE else "log"

    def enable_ring(self, size: int) -> None:
        if not 0 <= size < 1 << 32:  # the kernel takes only the low half
            number = errno.E2BIG if size > 0 and not size & (size - 1) else errno.EINVAL
            raise HypervisorError(number, _RING, "size", size, "a power of two of 32 bits")
        with self._space.lock:
            self._require(Cap.DIRTY_LOG_RING_ACQ_REL, "Linux 6.1")
            for vtl in self._space.vtls:
                vtl.vm.enable_cap(
                    Cap.DIRTY_LOG_RING_ACQ_REL, size, "a power of two from 4 KiB on, once, before there is a vCPU"
                )
                vtl.vm.ring_size = size
            self.way = "ring"

    def reset_rings(self) -> int:
        with self._space.lock:
            return sum(vtl.vm.reset_dirty_rings() for vtl in self._space.vtls)

    def vmm_writes(self) -> tuple[DirtyPage, ...]:
        if self.way != "ring":
            raise HypervisorError(errno.EINVAL, "harvest_vmm_writes", rule="no dirty ring is on")
        with self._space.lock:
            return self._space.dirty.take_all()

    def _require(self, cap: Cap, since: str) -> None:
        if not self._space.vtls[0].vm.extension(cap):
            raise Unsupported(f"KVM_CAP_{cap.name}", f"this kernel lacks it: {since} or newer on x86 has it")

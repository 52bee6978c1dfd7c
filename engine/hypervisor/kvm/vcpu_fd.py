"""One KVM vCPU of one VM: its file descriptor, run page and register calls. Knows nothing of VTLs or masks."""

import errno
import os
import struct
from collections.abc import Sequence

from engine.abi import kvm, kvm_vcpu, x86
from engine.abi.kvm import Cap, EnableCap, GuestDebug, Ioctl, Sregs
from engine.abi.kvm_hyperv import MP_STATE_RUNNABLE, MpState
from engine.abi.kvm_vcpu import CPUID_ENTRIES, Cpuid, MsrEntry, Msrs, VcpuEvents
from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.kvm.cpuid_table import leaves, table_of
from engine.hypervisor.kvm.ioctl import CLOSED, NOTHING, About, call, runner
from engine.hypervisor.kvm.long_mode import enter_long_mode
from engine.hypervisor.kvm.ring import DirtyRing
from engine.hypervisor.kvm.run_page import CR8, RunPage
from engine.hypervisor.kvm.vm_fd import VmFd
from engine.model.cpuid import announced
from engine.model.registers import Registers

_REGISTERS = struct.Struct("<18Q")


class VcpuFd:
    """`enter()` is KVM_RUN; what it left is in `page`, where registers that are set since are put as well."""

    def __init__(self, vm: VmFd, id: int) -> None:
        self.vm = vm
        self.fd = vm.create_vcpu(id)
        try:
            self.page = RunPage(self.fd, call(vm.kvm, Ioctl.KVM_GET_VCPU_MMAP_SIZE))
            self._set_supported_cpuid(vm.kvm)
            self._take_sregs()
            if vm.hyperv:
                self._join_hyperv()
            self.ring = DirtyRing(self.fd, vm.ring_size) if vm.ring_size else None
            vm.rings += [self.ring] if self.ring else []
        except BaseException:
            os.close(self.fd)
            raise
        self.enter = runner(self.fd)

    def registers(self) -> Registers:
        """Without a call."""
        return self.page.registers()

    def set_registers(self, registers: Registers) -> None:
        raw = _REGISTERS.pack(*(getattr(registers, name) for name in Registers.__struct_fields__))
        call(self.fd, Ioctl.KVM_SET_REGS, bytearray(raw))
        self.page.put_registers(raw)

    def sregs(self) -> Sregs:
        """A copy, without a call."""
        return Sregs.from_buffer_copy(self.page.special)

    def set_sregs(self, sregs: Sregs, about: About = NOTHING) -> None:
        call(self.fd, Ioctl.KVM_SET_SREGS, sregs, about)
        self._take_sregs()
        self.page.u64[CR8] = sregs.cr8

    def _take_sregs(self) -> None:
        """As the kernel has them: some bits are not for setting."""
        found = Sregs()
        call(self.fd, Ioctl.KVM_GET_SREGS, found)
        self.page.special[:] = bytes(found)

    def read_msrs(self, indices: Sequence[int]) -> list[int]:
        """KVM_GET_MSRS; EINVAL where the kernel lacks one."""
        table = _msrs(indices, [0] * len(indices))
        self._all_msrs(Ioctl.KVM_GET_MSRS, table)
        return [table.entries[n].data for n in range(table.nmsrs)]

    def write_msrs(self, indices: Sequence[int], values: Sequence[int]) -> None:
        """KVM_SET_MSRS; EINVAL at the first that is refused, those before it are set."""
        self._all_msrs(Ioctl.KVM_SET_MSRS, _msrs(indices, values))

    def events(self) -> VcpuEvents:
        events = VcpuEvents()
        call(self.fd, Ioctl.KVM_GET_VCPU_EVENTS, events)
        return events

    def set_events(self, events: VcpuEvents) -> None:
        call(self.fd, Ioctl.KVM_SET_VCPU_EVENTS, events)

    def xsave(self) -> bytearray:
        """x87, SSE and AVX registers, struct kvm_xsave."""
        raw = bytearray(kvm.XSAVE_SIZE)
        call(self.fd, Ioctl.KVM_GET_XSAVE, raw)
        return raw

    def set_xsave(self, raw: bytearray) -> None:
        """Not KVM_SET_FPU: what the processor has found to be in its initial state stays so after that (measured)."""
        call(self.fd, Ioctl.KVM_SET_XSAVE, raw)

    def debug_registers(self) -> bytearray:
        """struct kvm_debugregs."""
        raw = bytearray(kvm.DEBUGREGS_SIZE)
        call(self.fd, Ioctl.KVM_GET_DEBUGREGS, raw)
        return raw

    def set_debug_registers(self, raw: bytearray) -> None:
        call(self.fd, Ioctl.KVM_SET_DEBUGREGS, raw)

    def enter_long_mode(self, cr3: int) -> None:
        """64-bit mode with page tables at `cr3`; with no-execute pages unless KVM refuses EFER.NXE."""
        sregs = self.sregs()
        enter_long_mode(sregs, cr3, no_execute=True)
        try:
            self.set_sregs(sregs)
        except HypervisorError:
            enter_long_mode(sregs, cr3, no_execute=False)
            self.set_sregs(sregs, ("cr3", cr3, "page tables within the guest-physical address width"))
        self.set_registers(Registers())

    def finish(self) -> bool:
        """Let the kernel finish the pending operation without entering the guest (api.rst 5, immediate_exit).

        False when the operation led to another exit, which is then in `page`.
        """
        before, self.page.immediate_exit = self.page.immediate_exit, True
        try:
            self.enter()
        except InterruptedError:
            return True
        finally:
            self.page.immediate_exit = before
        return False

    def single_step(self, breakpoints: Sequence[int] = ()) -> None:
        """From now on every instruction ends in KVM_EXIT_DEBUG, and so does arriving at one of 4 breakpoints."""
        request = GuestDebug(kvm.GUESTDBG_ENABLE | kvm.GUESTDBG_SINGLESTEP)
        if breakpoints:
            request.control |= kvm_vcpu.GUESTDBG_USE_HW_BP
            request.debugreg[7] = x86.DR7_FIXED
        for number, address in enumerate(breakpoints):
            request.debugreg[number] = address
            request.debugreg[7] |= x86.DR7_G0 << 2 * number
        call(self.fd, Ioctl.KVM_SET_GUEST_DEBUG, request)

    def end_single_step(self) -> None:
        call(self.fd, Ioctl.KVM_SET_GUEST_DEBUG, GuestDebug())

    def copy_state(self, source: "VcpuFd") -> None:
        """Take over `source`'s general, system, x87 and vector registers."""
        self.set_xsave(source.xsave())
        theirs, mine = source.sregs(), self.sregs()
        if bytes(theirs) != bytes(mine):
            self.set_sregs(theirs)
        self.set_registers(source.registers())

    def close(self) -> None:
        if self.ring:
            self.ring.close()
        self.page.close()
        os.close(self.fd)
        self.fd, self.enter = CLOSED, runner(CLOSED)

    def set_cpuid(self, table: Cpuid) -> None:
        """KVM_SET_CPUID2 (api.rst 4.46); `cpuid` is what was set last."""
        call(self.fd, Ioctl.KVM_SET_CPUID2, table, ("cpuid", table.nent, "cannot be changed once the vCPU has run"))
        self.cpuid = table

    def _all_msrs(self, request: Ioctl, table: Msrs) -> None:
        done = call(self.fd, request, table)
        if done != table.nmsrs:
            entry = table.entries[done]
            raise HypervisorError(errno.EINVAL, request.name, f"msr {entry.index:#x}", entry.data)

    def _set_supported_cpuid(self, device: int) -> None:
        # Without a CPUID that has long mode, KVM refuses EFER.LME.
        table = Cpuid(nent=CPUID_ENTRIES)
        call(device, Ioctl.KVM_GET_SUPPORTED_CPUID, table)
        self.set_cpuid(table)

    def _join_hyperv(self) -> None:
        """A SynIC (api.rst 8.3), KVM's Hyper-V leaves (4.118), and no waiting for an INIT that no APIC sends (4.39)."""
        call(self.fd, Ioctl.KVM_ENABLE_CAP, EnableCap(int(Cap.HYPERV_SYNIC2)))
        table = Cpuid(nent=CPUID_ENTRIES)
        call(self.fd, Ioctl.KVM_GET_SUPPORTED_HV_CPUID, table)
        self.set_cpuid(table_of(announced(leaves(self.cpuid), leaves(table))))
        call(self.fd, Ioctl.KVM_SET_MP_STATE, MpState(MP_STATE_RUNNABLE))


def _msrs(indices: Sequence[int], values: Sequence[int]) -> Msrs:
    table = Msrs(nmsrs=len(indices))
    for n, (index, value) in enumerate(zip(indices, values, strict=True)):
        table.entries[n] = MsrEntry(index=index, data=value)
    return table

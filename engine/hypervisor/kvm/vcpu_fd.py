"""One KVM vCPU of one VM: its file descriptor, run page and register calls. Knows nothing of VTLs or masks."""

import os
import struct
from collections.abc import Sequence

from engine.abi import kvm, kvm_vcpu, x86
from engine.abi.kvm import GuestDebug, Ioctl, Sregs
from engine.abi.kvm_vcpu import CPUID_ENTRIES, Cpuid, VcpuEvents
from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.kvm.ioctl import CLOSED, call, runner
from engine.hypervisor.kvm.long_mode import enter_long_mode
from engine.hypervisor.kvm.ring import DirtyRing
from engine.hypervisor.kvm.run_page import RunPage
from engine.hypervisor.kvm.vm_fd import VmFd
from engine.model.registers import Registers

_REGISTERS = struct.Struct("<18Q")


class VcpuFd:
    """`enter()` is KVM_RUN; what it left is in `page`."""

    def __init__(self, vm: VmFd, id: int) -> None:
        self.vm = vm
        self.fd = vm.create_vcpu(id)
        try:
            self.page = RunPage(self.fd, call(vm.kvm, Ioctl.KVM_GET_VCPU_MMAP_SIZE))
            self._set_supported_cpuid(vm.kvm)
            self.ring = DirtyRing(self.fd, vm.ring_size) if vm.ring_size else None
            vm.rings += [self.ring] if self.ring else []
        except BaseException:
            os.close(self.fd)
            raise
        self.enter = runner(self.fd)

    def registers(self) -> Registers:
        raw = bytearray(kvm.REGS_SIZE)
        call(self.fd, Ioctl.KVM_GET_REGS, raw)
        return Registers(*_REGISTERS.unpack(raw))

    def set_registers(self, registers: Registers) -> None:
        raw = _REGISTERS.pack(*(getattr(registers, name) for name in Registers.__struct_fields__))
        call(self.fd, Ioctl.KVM_SET_REGS, bytearray(raw))

    def sregs(self) -> Sregs:
        sregs = Sregs()
        call(self.fd, Ioctl.KVM_GET_SREGS, sregs)
        return sregs

    def set_sregs(self, sregs: Sregs) -> None:
        call(self.fd, Ioctl.KVM_SET_SREGS, sregs)

    def events(self) -> VcpuEvents:
        events = VcpuEvents()
        call(self.fd, Ioctl.KVM_GET_VCPU_EVENTS, events)
        return events

    def set_events(self, events: VcpuEvents) -> None:
        call(self.fd, Ioctl.KVM_SET_VCPU_EVENTS, events)

    def fpu(self) -> bytearray:
        """x87 and SSE registers, struct kvm_fpu."""
        raw = bytearray(kvm.FPU_SIZE)
        call(self.fd, Ioctl.KVM_GET_FPU, raw)
        return raw

    def set_fpu(self, raw: bytearray) -> None:
        call(self.fd, Ioctl.KVM_SET_FPU, raw)

    def enter_long_mode(self, cr3: int) -> None:
        """64-bit mode with page tables at `cr3`; with no-execute pages unless KVM refuses EFER.NXE."""
        sregs = self.sregs()
        enter_long_mode(sregs, cr3, no_execute=True)
        try:
            self.set_sregs(sregs)
        except HypervisorError:
            enter_long_mode(sregs, cr3, no_execute=False)
            about = ("cr3", cr3, "page tables within the guest-physical address width")
            call(self.fd, Ioctl.KVM_SET_SREGS, sregs, about)
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
        """Take over `source`'s general, system and x87/SSE registers."""
        self.set_fpu(source.fpu())
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

    def _set_supported_cpuid(self, device: int) -> None:
        # Without a CPUID that has long mode, KVM refuses EFER.LME.
        table = Cpuid(nent=CPUID_ENTRIES)
        call(device, Ioctl.KVM_GET_SUPPORTED_CPUID, table)
        self.set_cpuid(table)

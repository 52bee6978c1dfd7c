"""Completing an instruction of which nothing has happened: one single step in the highest VTL, whose view has no mask.

A helper vCPU in that VTL's VM takes the state, executes the instruction where it stands, with the guest's own page
tables, and gives the state back. What it writes is in that VM's dirty log, which is merged like every VTL's.
"""

import iced_x86 as iced
from msgspec.structs import replace

from engine.abi.kvm import Cap, Ioctl
from engine.abi.x86 import RFLAGS_TF
from engine.hypervisor.kvm import events
from engine.hypervisor.kvm.address_space import AddressSpace
from engine.hypervisor.kvm.cpuid import set_table
from engine.hypervisor.kvm.ioctl import call
from engine.hypervisor.kvm.space import GuestSpace
from engine.hypervisor.kvm.vcpu_fd import VcpuFd
from engine.hypervisor.kvm.vm_fd import VmFd
from engine.model.cpuid import CpuidLeaf
from engine.model.resolution import Inject
from engine.x86.decode import decode_raw

TRAP_BYTE = 1
TRAP_BIT = 1
"""RFLAGS.TF, bit 8, within the flags that an instruction has pushed."""


_STEPPED = Inject(1)
"""#DB."""


def pushes_flags(code: bytes, rip: int) -> bool:
    """Whether the instruction stores RFLAGS: stepped by hardware, it stores the trap flag that steps it."""
    found = decode_raw(code, rip)
    return found is not None and found.mnemonic in (iced.Mnemonic.PUSHF, iced.Mnemonic.PUSHFQ)


def hide_trap_flag(space: GuestSpace, addresses: AddressSpace, at: int) -> None:
    """Take TF out of the flags stored at guest-virtual address `at`."""
    gpa = addresses.gpa(at + TRAP_BYTE)
    flags = space.load(gpa, 1) if gpa is not None else None
    if gpa is not None and flags is not None and flags[0] & TRAP_BIT:
        space.store(gpa, bytes([flags[0] & ~TRAP_BIT]))


class Stepper:
    """`fd` is the helper, made at the first use, with `cpuid` where that is given.

    `answered`: its exit has been resolved, so the step ends next. `traps`: the guest has set the trap flag itself.
    """

    def __init__(self, vm: VmFd, index: int) -> None:
        self._vm, self._index = vm, index
        self.fd: VcpuFd | None = None
        self.cpuid: tuple[CpuidLeaf, ...] | None = None
        self.answered = self.traps = False

    def begin(self, source: VcpuFd) -> VcpuFd:
        """The helper, ready to execute `source`'s next instruction."""
        if self.fd is None:
            # Half way up the ids KVM has, out of the way of the ids people use.
            ids = call(self._vm.kvm, Ioctl.KVM_CHECK_EXTENSION, int(Cap.MAX_VCPU_ID))
            self.fd = VcpuFd(self._vm, ids // 2 + self._index)
            if self.cpuid is not None:
                set_table([self.fd], self.cpuid)
        self.fd.copy_state(source)
        self.traps = bool(source.registers().rflags & RFLAGS_TF)
        # Only now: KVM arms the step for the RIP it sees here, and hardware takes no step armed for another.
        self.fd.single_step()
        self.fd.page.immediate_exit = source.page.immediate_exit
        self.answered = False
        return self.fd

    def end(self, target: VcpuFd) -> None:
        """Hand the state back after the step."""
        if self.fd is None:
            return
        target.copy_state(self.fd)
        if self.traps:
            # While KVM steps a vCPU it keeps the flag to itself, and the trap goes to userspace.
            registers = target.registers()
            target.set_registers(replace(registers, rflags=registers.rflags | RFLAGS_TF))
            events.queue(target, _STEPPED)

    def execute(self) -> None:
        """Enter the helper until it exits, whether or not a kick is waiting."""
        fd = self.fd
        if fd is None:
            return
        waiting, fd.page.immediate_exit = fd.page.immediate_exit, False
        while True:
            try:
                fd.enter()
                break
            except InterruptedError:
                continue
        fd.page.immediate_exit = waiting or fd.page.immediate_exit

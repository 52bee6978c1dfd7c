"""The guest of bench/c/guest.h, twice: on the engine's raw layer, and as a vm of the contract."""

import os

from bench.guests import hypervisor
from engine.abi.kvm import DEVICE, UserspaceMemoryRegion
from engine.hypervisor.contract.protocols import Vcpu, Vm
from engine.hypervisor.kvm.vcpu_fd import VcpuFd
from engine.hypervisor.kvm.views import Ram, View
from engine.hypervisor.kvm.vm_fd import VmFd
from engine.model.layout import PML4, code_base
from engine.model.memslot import Memslot
from engine.model.registers import Registers
from engine.model.resolution import Complete
from engine.x86.assemble import assemble
from engine.x86.paging import identity_tables

SYSTEM_SIZE = 2 << 20
DATA = SYSTEM_SIZE
"""gpa of slot 1, and its place in RAM."""
NOWHERE = 2 * SYSTEM_SIZE
PORT = 0x10
CODE = code_base(0)
SPIN = "again: inc qword ptr [rdi]\njmp again"
OUT = "again: out dx, al\njmp again"
STORE = "again: mov [rdi], rax\njmp again"
TOUCH = "again: mov [rdi], rax\nadd rdi, rbx\ndec rcx\njnz again\nout dx, al"


class RawGuest:
    """One KVM VM of VmFd, View and VcpuFd: slot 0 holds page tables and code, slot 1 is for who measures."""

    def __init__(self, data_size: int) -> None:
        self._device = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
        self.ram = Ram(SYSTEM_SIZE + data_size)
        self.vm = VmFd(self._device)
        self.system = View(self.ram, 0, SYSTEM_SIZE)
        self.data = View(self.ram, DATA, data_size)
        self.vcpus: list[VcpuFd] = []
        self.set_slot(Memslot(0, 0, SYSTEM_SIZE, 0), self.system)
        for gpa, table in identity_tables().items():
            self.ram.view[gpa : gpa + len(table)] = table

    def set_slot(self, slot: Memslot, view: View) -> None:
        self.vm.set_user_memory_region(region(slot, view), ("slot", slot.slot, ""))

    def add_vcpu(self, asm: str, **registers: int) -> VcpuFd:
        """At the start of `asm`, port in RDX."""
        code = assemble(asm, CODE).code
        self.ram.view[CODE : CODE + len(code)] = code
        vcpu = VcpuFd(self.vm, len(self.vcpus))
        self.vcpus.append(vcpu)
        vcpu.enter_long_mode(PML4)
        vcpu.set_registers(Registers(rip=CODE, rdx=PORT, **registers))
        return vcpu

    def close(self) -> None:
        for vcpu in self.vcpus:
            vcpu.close()
        self.vm.close()
        self.system.close()
        self.data.close()
        self.ram.close()
        os.close(self._device)


def region(slot: Memslot, view: View) -> UserspaceMemoryRegion:
    """The request that puts `view` there."""
    return UserspaceMemoryRegion(slot.slot, slot.flags, slot.base, slot.size, view.address)


def contract_guest(vtls: int, data_size: int, asm: str, **registers: int) -> tuple[Vm, Vcpu]:
    """A vm with slot 0 and a vCPU at the start of `asm`, port in RDX."""
    vm = hypervisor("kvm").create_vm(SYSTEM_SIZE + data_size, vtls)
    vm.set_memory_region(Memslot(0, 0, SYSTEM_SIZE, 0))
    for gpa, table in identity_tables().items():
        vm.memory().write(gpa, table)
    vm.memory().write(CODE, assemble(asm, CODE).code)
    vcpu = vm.create_vcpu(0, PML4)
    vcpu.set_registers(Registers(rip=CODE, rdx=PORT, **registers))
    return vm, vcpu


def run_once(vcpu: Vcpu) -> None:
    """Up to the exit, and answer it."""
    vcpu.resolve(vcpu.run(), Complete())
    vcpu.settle()


def vms(vm: Vm, vtls: int) -> int:
    """KVM VMs that a change of slots goes to: one a VTL, and where KVM reports denied accesses whole, the copy."""
    return vtls + vm.capabilities.denies_whole

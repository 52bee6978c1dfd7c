"""Whether this kernel stops a vCPU at its dirty ring's soft limit, found by filling a small ring past it."""

from engine.abi.kvm import DIRTY_GFN_SIZE, Cap, ExitReason, UserspaceMemoryRegion
from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.kvm.vcpu_fd import VcpuFd
from engine.hypervisor.kvm.views import Ram, View
from engine.hypervisor.kvm.vm_fd import VmFd
from engine.model.layout import PML4, code_base
from engine.model.registers import Registers
from engine.x86.paging import identity_tables

# again: mov [rbx], rax; add rbx, 0x1000; dec ecx; jnz again; hlt
_CODE = bytes.fromhex("488903 4881c300100000 ffc9 75f2 f4")
_TOUCHED, _RAM = 1 << 21, 1 << 23
_SMALLEST, _LARGEST = 4096, 1 << 16
_SPARE = 32
"""Entries left free, so that the probe itself overruns nothing."""
_ROUNDS = 6
"""Enough to tell a rule from an interrupt that happened to come in time."""


def heeds_soft_limit(device: int) -> bool:
    """False: guest code that never exits can fill the ring, and on over what nobody has read."""
    ram = Ram(_RAM)
    view, vm = View(ram, 0, _RAM), VmFd(device)
    try:
        vm.set_user_memory_region(UserspaceMemoryRegion(0, 1, 0, _RAM, view.address), ("slot", 0, ""))
        _turn_on_smallest(vm)
        vcpu = VcpuFd(vm, 0)
        try:
            return _observe(vm, vcpu, ram)
        finally:
            vcpu.close()
    finally:
        vm.close()
        view.close()
        ram.close()


def _turn_on_smallest(vm: VmFd) -> None:
    """How much a kernel reserves, and so its smallest ring, depends on the processor."""
    size = _SMALLEST
    while not vm.ring_size:
        try:
            vm.enable_cap(Cap.DIRTY_LOG_RING_ACQ_REL, size, "")
            vm.ring_size = size
        except HypervisorError:
            size *= 2
            if size > _LARGEST:
                raise


def _observe(vm: VmFd, vcpu: VcpuFd, ram: Ram) -> bool:
    for gpa, table in identity_tables().items():
        ram.view[gpa : gpa + len(table)] = table
    ram.view[code_base(0) : code_base(0) + len(_CODE)] = _CODE
    vcpu.enter_long_mode(PML4)
    return all(_stopped(vm, vcpu) for _ in range(_ROUNDS))


def _stopped(vm: VmFd, vcpu: VcpuFd) -> bool:
    pages = vm.ring_size // DIRTY_GFN_SIZE - _SPARE
    vcpu.set_registers(Registers(rip=code_base(0), rbx=_TOUCHED, rcx=pages))
    vcpu.enter()
    if vcpu.ring:
        vcpu.ring.harvest()
    vm.reset_dirty_rings()
    return vcpu.page.u32[2] == ExitReason.DIRTY_RING_FULL

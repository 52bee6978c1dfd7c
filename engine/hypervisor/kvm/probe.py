"""What this kernel does where kernels differ, found by running a few bytes of guest code once."""

import mmap

import msgspec

from engine.abi.kvm import ExitReason, UserspaceMemoryRegion
from engine.hypervisor.kvm.vcpu_fd import VcpuFd
from engine.hypervisor.kvm.views import Ram, View
from engine.hypervisor.kvm.vm_fd import VmFd
from engine.model.registers import Registers
from engine.model.rights import Rights

# 16-bit code at 0: out 0x10, al; mov [bx], al (bx = 0x1000); hlt
_CODE = b"\xe6\x10" + b"\x88\x07" + b"\xf4"
_OUT_LENGTH = 2
_FENCED = 0x1000


class Behaviour(msgspec.Struct, frozen=True):
    """`out_past`: at the exit of an OUT, RIP is already behind it (kernels that emulate it) or still at it."""

    out_past: bool
    write_fenced: bool
    """A store to a page mapped PROT_READ on the host did not go through."""
    access_fenced: bool
    """A store to a page mapped PROT_NONE on the host did not go through."""


def probe(device: int) -> Behaviour:
    """Run the probe guest; raises HypervisorError when KVM cannot even do that."""
    ram = Ram(2 * mmap.PAGESIZE)
    view = View(ram, 0, ram.size)
    vm = VmFd(device)
    try:
        region = UserspaceMemoryRegion(0, 0, 0, ram.size, view.address)
        vm.set_user_memory_region(region, ("slot", 0, ""))
        vcpu = VcpuFd(vm, 0)
        try:
            return _observe(vcpu, ram, view)
        finally:
            vcpu.close()
    finally:
        vm.close()
        view.close()
        ram.close()


def _observe(vcpu: VcpuFd, ram: Ram, view: View) -> Behaviour:
    ram.view[: len(_CODE)] = _CODE
    sregs = vcpu.sregs()
    sregs.cs.base = sregs.cs.selector = 0
    vcpu.set_sregs(sregs)
    vcpu.set_registers(Registers(rax=1))
    vcpu.enter()
    out_past = vcpu.page.u32[2] == ExitReason.IO and vcpu.registers().rip == _OUT_LENGTH
    fenced = [_store_fenced(vcpu, ram, view, rights) for rights in (Rights.RX, Rights.NONE)]
    return Behaviour(out_past, *fenced)


def _store_fenced(vcpu: VcpuFd, ram: Ram, view: View, rights: Rights) -> bool:
    view.protect(_FENCED // mmap.PAGESIZE, 1, rights)
    vcpu.finish()
    vcpu.set_registers(Registers(rax=1, rbx=_FENCED, rip=_OUT_LENGTH))
    try:
        vcpu.enter()
    except OSError:  # EFAULT: how kernels with hardware paging report it
        return ram.view[_FENCED] == 0
    return vcpu.page.u32[2] == ExitReason.MMIO and ram.view[_FENCED] == 0

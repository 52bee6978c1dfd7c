"""What this kernel does where kernels differ, found by running a few bytes of guest code once."""

import mmap

import msgspec

from engine.abi.kvm import ExitReason, UserspaceMemoryRegion
from engine.hypervisor.kvm.log_buffer import LogBuffer
from engine.hypervisor.kvm.vcpu_fd import VcpuFd
from engine.hypervisor.kvm.views import Ram, View
from engine.hypervisor.kvm.vm_fd import VmFd
from engine.model.memslot import SlotFlags
from engine.model.registers import Registers
from engine.model.rights import Rights

# 16-bit code at 0: out 0x10, al; mov [bx], al; hlt; mov al, [bx]; hlt
_CODE = b"\xe6\x10" + b"\x88\x07\xf4" + b"\x8a\x07\xf4"
_OUT_LENGTH = 2
_LOAD, _LOAD_LENGTH = 5, 2
_FENCED = 0x1000
_LOADED = 0x2000


STEP_REASON = "this kernel runs on where KVM_GUESTDBG_SINGLESTEP should end a run after one instruction"


class Behaviour(msgspec.Struct, frozen=True):
    """`out_past`: at the exit of an OUT, RIP is already behind it (kernels that emulate it) or still at it."""

    out_past: bool
    write_fenced: bool
    """A store to a page mapped PROT_READ on the host did not go through."""
    access_fenced: bool
    """A store to a page mapped PROT_NONE on the host did not go through."""
    denies_whole: bool
    """Such a store was reported by EFAULT, before the instruction had done anything (kernels with hardware paging)."""
    logs_loads: bool
    """A page that was only loaded from, for the first time, is in the dirty log."""
    steps: bool
    """KVM_GUESTDBG_SINGLESTEP ends a run after one instruction."""


def probe(device: int) -> Behaviour:
    """Run the probe guest; raises HypervisorError when KVM cannot even do that."""
    ram = Ram(3 * mmap.PAGESIZE)
    view = View(ram, 0, ram.size)
    vm = VmFd(device)
    try:
        region = UserspaceMemoryRegion(0, int(SlotFlags.LOG), 0, ram.size, view.address)
        vm.set_user_memory_region(region, ("slot", 0, ""))
        vcpu = VcpuFd(vm, 0)
        try:
            return _observe(vm, vcpu, ram, view)
        finally:
            vcpu.close()
    finally:
        vm.close()
        view.close()
        ram.close()


def _observe(vm: VmFd, vcpu: VcpuFd, ram: Ram, view: View) -> Behaviour:
    ram.view[: len(_CODE)] = _CODE
    sregs = vcpu.sregs()
    sregs.cs.base = sregs.cs.selector = 0
    vcpu.set_sregs(sregs)
    vcpu.set_registers(Registers(rax=1))
    vcpu.enter()
    out_past = vcpu.page.u32[2] == ExitReason.IO and vcpu.registers().rip == _OUT_LENGTH
    written = _store(vcpu, ram, view, Rights.RX)
    closed = _store(vcpu, ram, view, Rights.NONE)
    return Behaviour(out_past, written.fenced, closed.fenced, closed.by_fault, _logs_loads(vm, vcpu), _steps(vcpu))


class _Stored(msgspec.Struct, frozen=True):
    fenced: bool
    by_fault: bool


def _store(vcpu: VcpuFd, ram: Ram, view: View, rights: Rights) -> _Stored:
    view.protect(_FENCED // mmap.PAGESIZE, bytes([rights]))
    vcpu.finish()
    vcpu.set_registers(Registers(rax=1, rbx=_FENCED, rip=_OUT_LENGTH))
    try:
        vcpu.enter()
    except OSError:  # EFAULT: how kernels with hardware paging report it
        return _Stored(ram.view[_FENCED] == 0, by_fault=True)
    return _Stored(vcpu.page.u32[2] == ExitReason.MMIO and ram.view[_FENCED] == 0, by_fault=False)


def _logs_loads(vm: VmFd, vcpu: VcpuFd) -> bool:
    log = LogBuffer()
    log.fill(vm, 0, 1)
    vcpu.finish()
    vcpu.set_registers(Registers(rbx=_LOADED, rip=_LOAD))
    vcpu.enter()
    return bool(int(log.fill(vm, 0, 1)[0]) >> _LOADED // mmap.PAGESIZE & 1)


def _steps(vcpu: VcpuFd) -> bool:
    vcpu.finish()
    vcpu.set_registers(Registers(rbx=_LOADED, rip=_LOAD))
    try:
        vcpu.single_step()
        vcpu.enter()
        vcpu.end_single_step()
    except OSError:  # not to be had at all
        return False
    return vcpu.page.u32[2] == ExitReason.DEBUG and vcpu.registers().rip == _LOAD + _LOAD_LENGTH

"""The contract: KVM's own Hyper-V, where the kernel has one (contract.extensions.KernelHyperV)."""

import errno
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from engine.abi.tlfs import interface
from engine.abi.tlfs.interface import CallCode
from engine.abi.x86 import RFLAGS_RF
from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.contract.extensions import KernelHyperV
from engine.hypervisor.contract.protocols import Hypervisor, Vm
from engine.model.exits import HypercallExit, ShutdownExit, SynicExit
from engine.model.layout import PML4
from engine.model.resolution import Complete, Drop, Inject, Resolution, Retry
from tests.engine.hypervisor.guest import Guest

PLACE = Guest.DATA + 0x20000
OS_ID = 0x8100_0000
END = f"mov rcx, {Guest.PAGE:#x}\nmov [rcx], rax\nud2"
"""RAX is kept, then a triple fault: HLT waits in the kernel, and registers are as after an INIT."""
IDENTIFY = f"""
    mov ecx, {interface.MSR_GUEST_OS_ID:#x}
    xor eax, eax
    mov edx, {OS_ID:#x}
    wrmsr
    inc ecx
    mov eax, {PLACE | 1:#x}
    xor edx, edx
    wrmsr
"""
POST = f"mov rcx, {int(CallCode.PostMessage):#x}\nmov rdx, {Guest.PAGE:#x}\nmov r8, 7\nmov rax, {PLACE:#x}\ncall rax"


def enable(vm: Vm) -> None:
    vm.extension(KernelHyperV).enable()


@pytest.fixture
def enlightened(hypervisor: Hypervisor) -> Iterator[Guest]:
    host = hypervisor.capabilities
    if KernelHyperV.__name__ not in host.extensions:
        pytest.skip(f"{host.label}: {host.lacks[KernelHyperV.__name__]}")
    made = Guest(hypervisor, prepare=enable)
    yield made
    made.vm.close()


def posted(guest: Guest) -> HypercallExit:
    guest.load(f"{IDENTIFY}\n{POST}\n{END}", rbx=1)
    exit = guest.vcpu.run()
    assert isinstance(exit, HypercallExit), exit
    return exit


def test_a_call_that_the_kernel_leaves_tells_its_registers(enlightened: Guest) -> None:
    """RIP is at the instruction of the kernel's page, of three bytes on any vendor's processor."""
    exit = posted(enlightened)
    assert (exit.input, exit.rdx, exit.r8, exit.rip) == (CallCode.PostMessage, Guest.PAGE, 7, PLACE)
    assert (len(exit.code), exit.text[:2], enlightened.vcpu.registers().rip) == (3, "vm", PLACE)


@pytest.mark.parametrize(
    ("resolution", "rax"), [(Complete((0x12).to_bytes(8, "little")), 0x12), (Complete(), 0), (Drop(), 0)]
)
def test_the_answer_is_rax(enlightened: Guest, resolution: Resolution, rax: int) -> None:
    exit = posted(enlightened)
    enlightened.vcpu.resolve(exit, resolution)
    assert isinstance(enlightened.vcpu.run(), ShutdownExit)
    assert enlightened.word() == rax


def test_retry_exits_again(enlightened: Guest) -> None:
    exit = posted(enlightened)
    enlightened.vcpu.resolve(exit, Retry())
    assert enlightened.vcpu.run() == exit


def test_an_exception_in_its_place_leaves_all_registers(enlightened: Guest) -> None:
    """#UD, which without an IDT is a triple fault; RAX is still the page's address. A fault resumes with RF set."""
    exit = posted(enlightened)
    before = enlightened.vcpu.registers()
    enlightened.vcpu.resolve(exit, Inject(6))
    after = enlightened.vcpu.registers()
    assert replace(after, rflags=after.rflags & ~RFLAGS_RF) == before
    assert (before.rax, before.rip) == (PLACE, PLACE)
    assert isinstance(enlightened.vcpu.run(), ShutdownExit)


def test_a_vcpu_waits_for_the_answer(enlightened: Guest) -> None:
    posted(enlightened)
    with pytest.raises(HypervisorError) as refused:
        enlightened.vcpu.run()
    assert refused.value.errno == errno.EBUSY


def test_the_synic_needs_no_answer(enlightened: Guest) -> None:
    enlightened.load(f"mov ecx, 0x40000080\nmov eax, 1\nxor edx, edx\nwrmsr\nmov eax, 5\n{END}")
    exit = enlightened.vcpu.run()
    assert isinstance(exit, SynicExit)
    assert (exit.index, exit.control) == (0x4000_0080, 1)
    assert isinstance(enlightened.vcpu.run(), ShutdownExit)
    assert enlightened.word() == 5


def test_every_vtl_has_one_and_each_processor_runs(enlightened: Guest) -> None:
    """A second vCPU would wait for an INIT by itself; each VTL has its own identity."""
    enlightened.vcpus.append(enlightened.vm.create_vcpu(1, PML4))
    second = enlightened.vcpus[1]
    second.enter_vtl(1)
    enlightened.load(f"{IDENTIFY}\n{POST}\n{END}", vcpu=1)
    exit = second.run()
    assert isinstance(exit, HypercallExit)
    assert (exit.vcpu, exit.vtl) == (1, 1)


def test_it_is_turned_on_once_and_before_the_first_vcpu(hypervisor: Hypervisor, enlightened: Guest) -> None:
    late = Guest(hypervisor)
    for vm in (enlightened.vm, late.vm):
        with pytest.raises(HypervisorError) as refused:
            enable(vm)
        assert refused.value.errno == errno.EEXIST
    late.vm.close()

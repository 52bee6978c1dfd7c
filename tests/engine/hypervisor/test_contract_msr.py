"""The contract: RDMSR and WRMSR of a register that the hypervisor does not keep exit, once that is turned on."""

import pytest

from engine.abi.tlfs import discovery, interface
from engine.conformance.handlers import TAKE_FRAME, handle
from engine.model.cpuid import CpuidLeaf
from engine.model.exits import HltExit, MsrExit, ShutdownExit
from engine.model.resolution import Complete, Drop, Inject, Resolution, Retry
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import Guest

UNKNOWN = 0x12345
VALUE = 0x1122334455667788


def _exit(guest: Guest) -> MsrExit:
    exit = guest.vcpu.run()
    assert isinstance(exit, MsrExit), exit
    return exit


def test_a_read_tells_which_and_gets_what_it_is_given(guest: Guest) -> None:
    guest.vm.enable_msr_exits()
    guest.load("nop\nrdmsr\ninc r8\nhlt", rcx=UNKNOWN)
    exit = _exit(guest)
    assert (exit.index, exit.data, exit.rip, exit.code, exit.text) == (UNKNOWN, None, 0x10001, b"\x0f\x32", "rdmsr")
    assert guest.vcpu.registers().rip == 0x10001
    guest.vcpu.resolve(exit, Complete(VALUE.to_bytes(8, "little")))
    assert isinstance(guest.vcpu.run(), HltExit)
    after = guest.vcpu.registers()
    assert (after.rdx << 32 | after.rax, after.r8) == (VALUE, 1)


def test_a_write_tells_its_bytes_and_goes_on(guest: Guest) -> None:
    guest.vm.enable_msr_exits()
    guest.load("wrmsr\ninc r8\nhlt", rcx=UNKNOWN, rax=VALUE & 0xFFFF_FFFF, rdx=VALUE >> 32)
    exit = _exit(guest)
    assert (exit.index, exit.data, exit.text) == (UNKNOWN, VALUE.to_bytes(8, "little"), "wrmsr")
    guest.vcpu.resolve(exit, Complete())
    assert isinstance(guest.vcpu.run(), HltExit)
    assert guest.vcpu.registers().r8 == 1


@pytest.mark.parametrize("answer", [Drop(), Complete()])
def test_a_read_that_is_given_nothing_gets_zero(guest: Guest, answer: Resolution) -> None:
    guest.vm.enable_msr_exits()
    guest.load("rdmsr\nhlt", rcx=UNKNOWN, rax=1, rdx=2)
    guest.vcpu.resolve(_exit(guest), answer)
    assert isinstance(guest.vcpu.run(), HltExit)
    after = guest.vcpu.registers()
    assert (after.rax, after.rdx) == (0, 0)


@pytest.mark.parametrize("code", ["rdmsr\nhlt", "wrmsr\nhlt"])
def test_the_registers_of_hyper_v_exit_also_where_a_kernel_knows_them(guest: Guest, code: str) -> None:
    """KVM with CONFIG_KVM_HYPERV keeps HV_X64_MSR_GUEST_OS_ID itself once CPUID says Hv#1."""
    guest.vm.enable_msr_exits()
    signature = int.from_bytes(discovery.INTERFACE, "little")
    guest.vcpu.set_cpuid((CpuidLeaf(discovery.INTERFACE_LEAF, None, signature),))
    guest.load(code, rcx=interface.MSR_GUEST_OS_ID, rax=1)
    assert _exit(guest).index == interface.MSR_GUEST_OS_ID


def test_retry_exits_again(guest: Guest) -> None:
    guest.vm.enable_msr_exits()
    guest.load("rdmsr\nhlt", rcx=UNKNOWN)
    first = _exit(guest)
    guest.vcpu.resolve(first, Retry())
    assert _exit(guest) == first


def test_settle_finishes_it_and_executes_nothing_more(guest: Guest) -> None:
    guest.vm.enable_msr_exits()
    guest.load("rdmsr\ninc r8\nhlt", rcx=UNKNOWN)
    guest.vcpu.resolve(_exit(guest), Complete(VALUE.to_bytes(8, "little")))
    guest.vcpu.settle()
    after = guest.vcpu.registers()
    assert (after.rip, after.rax, after.r8) == (0x10002, VALUE & 0xFFFF_FFFF, 0)


def test_a_denied_rdmsr_is_told_after_its_fetch(guest: Guest) -> None:
    """It is executed by whatever completes a denied fetch, and exits from there all the same."""
    guest.vm.enable_msr_exits()
    guest.fence(Rights.NONE)
    guest.load("rdmsr\njmp rdi", at=Guest.PAGE)
    guest.load("jmp rbx\nhlt", rbx=Guest.PAGE, rcx=UNKNOWN, rdi=0x10002)
    exits = guest.drive(lambda exit: Complete(b"\x42") if isinstance(exit, MsrExit) else Complete())
    assert [(type(exit).__name__, exit.rip - Guest.PAGE) for exit in exits] == [
        ("ProtectionExit", 0),
        ("MsrExit", 0),
        ("ProtectionExit", 2),
    ]
    assert guest.vcpu.registers().rax == 0x42


def test_it_is_an_exception_in_the_guest_when_that_is_the_answer(guest: Guest) -> None:
    guest.vm.enable_msr_exits()
    handle(guest, {13: f"{TAKE_FRAME}hlt"})
    guest.load("rdmsr\nhlt", rcx=UNKNOWN)
    guest.vcpu.resolve(_exit(guest), Inject(13, 0))
    assert isinstance(guest.vcpu.run(), HltExit)
    assert guest.vcpu.registers().r9 == 0x10000


def test_a_known_one_is_the_hypervisors_own(guest: Guest) -> None:
    """IA32_SYSENTER_CS is kept by every x86 hypervisor."""
    guest.vm.enable_msr_exits()
    guest.load("mov eax, 0x1234\nwrmsr\nxor eax, eax\nrdmsr\nhlt", rcx=0x174)
    assert isinstance(guest.vcpu.run(), HltExit)
    assert guest.vcpu.registers().rax == 0x1234


def test_without_exits_it_is_an_exception_at_once(guest: Guest) -> None:
    guest.load("rdmsr\nhlt", rcx=UNKNOWN)
    assert isinstance(guest.vcpu.run(), ShutdownExit)


def test_exits_are_turned_on_for_every_vtl(guest: Guest) -> None:
    guest.vm.enable_msr_exits()
    guest.vcpu.enter_vtl(1)
    guest.load("rdmsr\nhlt", rcx=UNKNOWN)
    assert _exit(guest).vtl == 1

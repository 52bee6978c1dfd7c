"""The contract: what a processor refuses its guest to do with control registers, and which exception says so."""

import pytest

from engine.conformance.handlers import handle, handler_of
from engine.model.exits import HltExit
from tests.engine.hypervisor.guest import Guest

CR0, CR4 = 0x8005_0033, 0x620
UD, GP = 6, 13
EFER, LSTAR, FS_BASE = 0xC000_0080, 0xC000_0082, 0xC000_0100
MCE = 1 << 6
PROCESSORS_OWN = ("mov cr3, rax", "ltr ax", LSTAR, FS_BASE)
"""Where KVM lets a processor execute the guest, these never leave it, and the processor alone refuses."""
REFUSED = [
    ("mov cr0, rax", CR0 & ~(1 << 31), GP),
    ("mov cr0, rax", CR0 & ~1, GP),
    ("mov cr0, rax", CR0 | 1 << 29, GP),
    ("mov cr3, rax", 1 << 63 | 0x1000, GP),
    ("mov cr3, rax", 1 << 52 | 0x1000, GP),
    ("mov cr4, rax", CR4 & ~0x20, GP),
    ("mov cr4, rax", 0, GP),
    ("mov cr4, rax", CR4 | 1 << 12, GP),
    ("mov cr4, rax", CR4 | 1 << 15, GP),
    ("mov cr4, rax", CR4 | 1 << 23, GP),
    ("mov cr8, rax", 0x10, GP),
    ("mov dr7, rax", 1 << 40, GP),
    ("ltr ax", 0, GP),
    ("ltr ax", 0x50, GP),
    ("rdpmc", 0, GP),
    ("syscall", 0, UD),
]
ALLOWED = [
    ("mov cr0, rax", CR0 | 8),
    ("mov cr0, rax", CR0 | 3 << 29),
    ("mov cr3, rax", 0x1018),
    ("mov cr4, rax", CR4 | 0x80),
    ("mov dr7, rax", 0x400),
]
MSR_VALUES = [
    (EFER, 0, False),
    (EFER, 0x500, True),
    (EFER, 0xD01, True),
    (EFER, 0x4500, False),
    (0x277, 0x0007_0406_0007_0406, True),
    (LSTAR, 1 << 63, False),
    (LSTAR, 0xFFFF_8000_0000_0000, True),
    (FS_BASE, 1 << 63, False),
    (0xC000_0101, 0x1234_5678_9ABC, True),
]


def _ends_at(guest: Guest, assembly: str, **registers: int) -> int:
    handle(guest, {UD: "hlt", GP: "hlt"})
    guest.load(f"{assembly}\nhlt", **registers)
    assert isinstance(guest.vcpu.run(), HltExit)
    return guest.vcpu.registers().rip - 1


def _processor_executes(guest: Guest) -> bool:
    return guest.vm.capabilities.real and guest.vm.capabilities.denies_whole


def _needs_kvm(guest: Guest, what: str | int) -> None:
    if _processor_executes(guest) and what in PROCESSORS_OWN:
        pytest.skip("the processor executes that by itself, and KVM has no part in it")


@pytest.mark.parametrize(("assembly", "value", "vector"), REFUSED)
def test_what_is_not_allowed_is_an_exception(guest: Guest, assembly: str, value: int, vector: int) -> None:
    _needs_kvm(guest, assembly)
    assert _ends_at(guest, assembly, rax=value) == handler_of(vector)


@pytest.mark.parametrize(("assembly", "value"), ALLOWED)
def test_what_is_allowed_is_done(guest: Guest, assembly: str, value: int) -> None:
    back = assembly.removeprefix("mov ").split(",")[0]
    assert _ends_at(guest, f"{assembly}\nmov rcx, {back}", rax=value) < handler_of(0)
    others = MCE if back == "cr4" and _processor_executes(guest) else 0  # docs/differences.md 38
    assert guest.vcpu.registers().rcx & ~others == value


@pytest.mark.parametrize(("index", "value", "allowed"), MSR_VALUES)
def test_a_model_specific_register_takes_what_it_can_mean(guest: Guest, index: int, value: int, allowed: bool) -> None:
    if not allowed:
        _needs_kvm(guest, index)
    ends = _ends_at(guest, "wrmsr\nrdmsr", rcx=index, rax=value & 0xFFFF_FFFF, rdx=value >> 32)
    assert (ends < handler_of(0)) is allowed
    if allowed:
        registers = guest.vcpu.registers()
        assert registers.rdx << 32 | registers.rax == value


def test_syscall_goes_where_lstar_says_once_it_is_turned_on(guest: Guest) -> None:
    """STAR names the segments; RCX gets the address to return to."""
    code = "rdmsr\nor eax, 1\nwrmsr\nmov ecx, 0xc0000082\nmov eax, ebx\nxor edx, edx\nwrmsr\nsyscall"
    handle(guest, {UD: "hlt", GP: "hlt", 31: "mov r9d, 5\nhlt"})
    guest.load(code, rcx=EFER, rbx=handler_of(31))
    assert isinstance(guest.vcpu.run(), HltExit)
    registers = guest.vcpu.registers()
    assert registers.r9 == 5
    assert 0x10000 < registers.rcx < handler_of(0)

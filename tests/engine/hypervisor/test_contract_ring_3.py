"""The contract, one body for every hypervisor: ring 3, which only uses pages that have the U bit."""

import pytest

from engine.conformance.handlers import handler_of
from engine.conformance.ring_3 import CODE_3, GDT, GP, PF, STACK_0, TEXT, UD, begin, open_ports
from engine.model.exits import HltExit, IoExit, ProtectionExit
from engine.model.layout import PML4
from engine.model.registers import Registers
from engine.model.rights import Rights
from engine.x86.paging import PRESENT
from tests.engine.hypervisor.guest import Guest

PAGE, VOID = Guest.PAGE, Guest.VOID
SUPERVISOR = 0x40000
ABSENT = 5 << 30


def end(guest: Guest, vector: int) -> Registers:
    """The registers in the handler of that vector, where the guest has to end."""
    exit = guest.vcpu.run()
    assert isinstance(exit, HltExit), exit
    registers = guest.vcpu.registers()
    assert handler_of(vector) <= registers.rip <= handler_of(vector + 1)
    return registers


def test_ring_3_uses_what_it_may_and_comes_back_by_an_exception(guest: Guest) -> None:
    begin(guest, "mov rax, [rcx]\nmov [rcx+8], rax\npush rax\npop rdx\nud2", rcx=PAGE)
    registers = end(guest, UD)
    assert (registers.rax, registers.rdx, guest.word(PAGE + 8)) == (0x1111111111111111,) * 3
    assert (registers.r9, registers.rsp) == (CODE_3, STACK_0 - 5 * 8)


@pytest.mark.parametrize(
    ("assembly", "code", "at"),
    [
        ("mov rax, [rcx]", 5, SUPERVISOR),
        ("mov [rcx], rax", 7, SUPERVISOR),
        ("push qword ptr [rcx]", 5, SUPERVISOR),
        ("mov rsi, rcx\nlodsb", 5, SUPERVISOR),
        ("mov rax, [rcx-4]", 5, SUPERVISOR),
        ("call rcx", 0x15, SUPERVISOR),
        ("mov rcx, r14\nmov rax, [rcx]", 4, ABSENT),
    ],
    ids=["load", "store", "operand", "string", "crossing", "fetch", "absent"],
)
def test_a_page_without_the_u_bit_is_a_page_fault_of_ring_3(guest: Guest, assembly: str, code: int, at: int) -> None:
    """Present, write, user, fetch: 1, 2, 4, 0x10 (SDM Vol. 3, 5.7). The crossing load begins in the same 2 MiB."""
    begin(guest, assembly, rcx=SUPERVISOR, r14=ABSENT)
    registers = end(guest, PF)
    assert (registers.r8, registers.r10) == (code, CODE_3)
    assert registers.r13 == (at - 4 if "rcx-4" in assembly else at)


def test_ring_0_uses_pages_of_ring_3(guest: Guest) -> None:
    """Without SMAP and SMEP, which no guest here has on."""
    begin(guest, "ud2")
    guest.memory.write(TEXT, b"\xc3")
    guest.load("mov rax, [rcx]\ncall rbx\nhlt", rcx=PAGE, rbx=TEXT)
    assert guest.drive() == []
    assert guest.vcpu.registers().rax == 0x1111111111111111


@pytest.mark.parametrize(
    "assembly",
    [
        "hlt",
        "mov rax, cr3",
        "mov cr3, rax",
        "mov dr7, rax",
        "rdmsr",
        "wrmsr",
        "ltr ax",
        "lgdt [rcx]",
        "cli",
        "in al, 0x10",
    ],
)
def test_an_instruction_of_ring_0_is_a_general_protection_fault(guest: Guest, assembly: str) -> None:
    """Whatever ECX names: no MSR is asked for."""
    guest.vm.enable_msr_exits()
    begin(guest, assembly, rcx=PAGE, rax=0x28)
    registers = end(guest, GP)
    assert (registers.r8, registers.r9, registers.r10) == (0, TEXT, CODE_3)


def test_the_processor_itself_reads_descriptors_with_the_rights_of_ring_0(guest: Guest) -> None:
    """A segment load in ring 3 reads the GDT, which ring 3 cannot."""
    begin(guest, "mov eax, 0x1b\nmov ds, eax\nmov rdx, 7\nmov rax, [rcx]", rcx=GDT)
    registers = end(guest, PF)
    assert (registers.r8, registers.rdx, registers.r13) == (5, 7, GDT)


def test_ring_3_meets_masks_as_ring_0_does(guest: Guest) -> None:
    guest.fence(Rights.RX)
    begin(guest, "mov [rcx], rax\nmov rdx, [rcx]\nud2", rcx=PAGE)
    exit = guest.vcpu.run()
    assert isinstance(exit, ProtectionExit)
    assert (exit.gpa, exit.rip, str(exit.access)) == (PAGE, TEXT, "write")


def test_a_table_above_decides_too(guest: Guest) -> None:
    """The U bit counts at every level: cleared in the PML4, ring 3 cannot even be entered."""
    begin(guest, "ud2")
    guest.memory.write(PML4, (guest.word(PML4) & ~4 | PRESENT).to_bytes(8, "little"))
    assert end(guest, PF).r8 == 0x15


@pytest.mark.parametrize(
    ("port", "size", "bits", "stops"),
    [
        (0x10, 1, 0, True),
        (0x10, 1, 1 << 16, False),
        (0x0F, 2, 1 << 16, False),
        (0x0E, 2, 1 << 16, True),
        (0x38, 1, 0, False),
    ],
    ids=["open", "shut", "half shut", "beside", "beyond the bitmap"],
)
def test_ring_3_uses_the_ports_that_its_tss_opens(guest: Guest, port: int, size: int, bits: int, stops: bool) -> None:
    """A bit a port, 0 for open; the last byte is there for ports that span two (SDM Vol. 1, 19.5.2)."""
    register = {1: "al", 2: "ax"}[size]
    begin(guest, f"out {port:#x}, {register}\nud2")
    open_ports(guest, bits.to_bytes(7, "little"))
    exit = guest.vcpu.run()
    assert isinstance(exit, IoExit) == stops
    if not stops:
        assert handler_of(GP) <= guest.vcpu.registers().rip <= handler_of(GP + 1)

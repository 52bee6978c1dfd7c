"""Rows from 24 on of docs/differences.md: what the processor itself is on each hypervisor."""

import pytest

from engine.abi.x86 import RFLAGS_IF, RFLAGS_RF
from engine.conformance import ring_3
from engine.conformance.handlers import HANDLER_SIZE, HANDLERS, IDT, handle, handler_of
from engine.hypervisor.contract.errors import Unsupported
from engine.model.address import PAGE_SHIFT, PageRange
from engine.model.cpuid import CpuidLeaf
from engine.model.exits import HltExit, InternalError, Interrupted, ProtectionExit, ShutdownExit
from engine.model.layout import PAGE_DIRECTORIES, code_base
from engine.model.resolution import Complete
from engine.model.rights import Rights
from engine.x86.descriptors import GATE_SIZE
from tests.engine.hypervisor.guest import Guest, emulates

PAGE, VOID = Guest.PAGE, Guest.VOID
UD, DF, NP, GP, PF = 6, 8, 11, 13, 14
VECTORS = (UD, DF, NP, GP, PF)
WRITE_UNPROTECTED = """mov rax, cr0
and rax, 0xfffffffffffeffff
mov cr0, rax
and qword ptr [rcx], 0xfffffffffffffffd
mov rax, cr3
mov cr3, rax
mov [rbx], rdx"""


def ends(guest: Guest, assembly: str, **registers: int) -> int | None:
    """The vector in whose handler the guest ends, or None: it comes to the end of the code."""
    handle(guest, dict.fromkeys(VECTORS, "hlt"))
    return _ends(guest, assembly, **registers)


def ends_with_gate(guest: Guest, vector: int, kind: int, assembly: str) -> int | None:
    """As `ends`, where this vector's gate has this byte of type, privilege and presence (SDM Vol. 3, 6.14.1)."""
    handle(guest, dict.fromkeys(VECTORS, "hlt"))
    guest.memory.write(IDT + vector * GATE_SIZE + 5, bytes([kind]))
    return _ends(guest, assembly)


def _ends(guest: Guest, assembly: str, **registers: int) -> int | None:
    guest.load(f"{assembly}\nhlt", **registers)
    exit = guest.vcpu.run()
    assert isinstance(exit, HltExit), exit
    past = guest.vcpu.registers().rip - 1 - HANDLERS
    return past // HANDLER_SIZE if past >= 0 else None


@pytest.mark.parametrize("index", [0x1B, 0x8B, 0xFE, 0x179], ids=["APIC base", "microcode", "MTRR", "machine check"])
def test_24_registers_of_devices(kvm: Guest, sim: Guest, index: int) -> None:
    assert (ends(kvm, "rdmsr", rcx=index), ends(sim, "rdmsr", rcx=index)) == (None, GP)


def test_25_bits_of_cr4_that_a_feature_of_the_host_brings(kvm: Guest, sim: Guest) -> None:
    smep = "mov rax, cr4\nor rax, 0x100000\nmov cr4, rax"
    assert (ends(kvm, smep), ends(sim, smep)) == (None, GP)


def test_26_the_addresses_for_sysenter(kvm: Guest, sim: Guest) -> None:
    found: list[int] = []
    for guest in (kvm, sim):
        assert ends(guest, "wrmsr\nrdmsr", rcx=0x175, rax=0x9000, rdx=5) is None
        assert guest.vcpu.registers().rax == 0x9000
        found.append(guest.vcpu.registers().rdx)
    assert found[1] == 5
    assert found[0] == 5 or not emulates(kvm)


def test_27_a_page_table_beyond_the_width_of_addresses(kvm: Guest, sim: Guest) -> None:
    for guest in (kvm, sim):
        guest.vcpu.set_cpuid((CpuidLeaf(0x8000_0000, eax=0x8000_0008), CpuidLeaf(0x8000_0008, eax=0x3028)))
    beyond = 1 << 40 | 0x1000
    assert not emulates(kvm) or ends(kvm, "mov cr3, rax", rax=beyond) == GP
    handle(sim, {GP: "hlt"})
    sim.load("mov cr3, rax\nhlt", rax=beyond)
    assert isinstance(sim.vcpu.run(), ShutdownExit)


@pytest.mark.parametrize("branch", ["jmp rbx", "call rbx"])
def test_28_a_branch_to_no_address(kvm: Guest, sim: Guest, branch: str) -> None:
    seen: list[tuple[int, int]] = []
    for guest in (kvm, sim):
        handle(guest, {GP: "mov r8, [rsp+8]\nmov r9, [rsp+0x20]\nhlt"})
        guest.load(branch, rbx=1 << 63)
        before = guest.vcpu.registers()
        assert isinstance(guest.vcpu.run(), HltExit)
        after = guest.vcpu.registers()
        seen.append((after.r8 - before.rip, after.r9 - before.rsp))
    assert seen[1] == ((1 << 63) - before.rip, -8 if branch.startswith("call") else 0)
    assert not emulates(kvm) or seen[0] == (0, 0)


@pytest.mark.parametrize("move", ["movaps xmm0, [rbx]", "movaps [rbx], xmm0"])
def test_29_an_operand_that_is_not_aligned(kvm: Guest, sim: Guest, move: str) -> None:
    assert (ends(kvm, move, rbx=PAGE + 8), ends(sim, move, rbx=PAGE + 8)) == (GP, None)


def test_30_a_null_stack_segment_of_another_ring(kvm: Guest, sim: Guest) -> None:
    assert not emulates(kvm) or ends(kvm, "mov ss, eax", rax=3) == GP
    assert ends(sim, "mov ss, eax", rax=3) is None


def test_31_ring_0_with_write_protection_turned_off(kvm: Guest, sim: Guest) -> None:
    for guest, vector, found in ((kvm, None, 7), (sim, PF, 0x1111111111111111)):
        assert ends(guest, WRITE_UNPROTECTED, rbx=PAGE, rcx=PAGE_DIRECTORIES + 8, rdx=7) == vector
        assert guest.word() == found


def test_32_a_single_step_and_a_denied_fetch_that_is_completed_in_ring_3(kvm: Guest, sim: Guest) -> None:
    """RET in a page that may not be executed, called from ring 3."""
    for guest in (kvm, sim):
        guest.memory.write(PAGE, b"\xc3")
        guest.vm.set_mask(0, PageRange(PAGE >> PAGE_SHIFT, 1), Rights.NONE)
        ring_3.begin(guest, "call rcx\nud2", rcx=PAGE)
        exit = guest.vcpu.run()
        assert isinstance(exit, ProtectionExit)
        if guest is kvm and emulates(kvm):
            with pytest.raises(Unsupported):
                guest.vcpu.resolve(exit, Complete())
        else:
            guest.vcpu.resolve(exit, Complete())
            guest.vcpu.run(1)
            assert guest.drive() == []
            assert handler_of(UD) < guest.vcpu.registers().rip < handler_of(UD + 1)


def test_33_an_exception_that_meets_another_without_being_a_double_fault(kvm: Guest, sim: Guest) -> None:
    not_present = 0x0E
    assert ends_with_gate(kvm, UD, not_present, "ud2") == (DF if emulates(kvm) else NP)
    assert ends_with_gate(sim, UD, not_present, "ud2") == NP


@pytest.mark.parametrize("kind", [0x80, 0x86, 0x8C], ids=["none", "16 bits", "call gate"])
def test_34_a_gate_that_is_none_for_exceptions(kvm: Guest, sim: Guest, kind: int) -> None:
    assert ends_with_gate(kvm, UD, kind, "ud2") == (UD if emulates(kvm) else GP)
    assert ends_with_gate(sim, UD, kind, "ud2") == GP


def test_35_a_stack_in_the_void(kvm: Guest, sim: Guest) -> None:
    for guest, kind in ((kvm, ShutdownExit if emulates(kvm) else InternalError), (sim, InternalError)):
        handle(guest, dict.fromkeys(VECTORS, "hlt"))
        guest.load("ud2", rsp=VOID + 0x1000)
        assert isinstance(guest.vcpu.run(), kind)


@pytest.mark.parametrize("instruction", ["sysenter", "sysexit", "monitor", "mwait"])
def test_36_entering_by_sysenter_and_waiting_for_a_store(kvm: Guest, sim: Guest, instruction: str) -> None:
    for guest in (kvm, sim):
        handle(guest, {UD: "hlt", GP: "hlt"})
        guest.load(f"{instruction}\nhlt", rax=PAGE)
    exit = kvm.vcpu.run()
    if emulates(kvm):
        faults = isinstance(exit, HltExit) and kvm.vcpu.registers().rip == handler_of(GP) + 1
        assert faults if instruction == "sysexit" else isinstance(exit, InternalError)
    assert isinstance(sim.vcpu.run(), HltExit)
    assert sim.vcpu.registers().rip == handler_of(UD) + 1


def test_37_a_table_that_changes_without_a_flush(kvm: Guest, sim: Guest) -> None:
    entry = PAGE_DIRECTORIES + 8 * (PAGE >> 21)
    for guest, kinds in ((kvm, (ShutdownExit,) if emulates(kvm) else (ShutdownExit, HltExit)), (sim, (HltExit,))):
        guest.load("mov rcx, [rbx]\nmov qword ptr [rdi], 0\nmov rcx, [rbx]\nhlt", rbx=PAGE, rdi=entry)
        assert isinstance(guest.vcpu.run(), kinds)


def test_38_machine_checks_of_the_host(kvm: Guest, sim: Guest) -> None:
    found: list[int] = []
    for guest in (kvm, sim):
        assert ends(guest, "mov rax, cr4\nand rax, -65\nmov cr4, rax\nmov rcx, cr4") is None
        found.append(guest.vcpu.registers().rcx & 0x40)
    assert found[1] == 0
    assert found[0] == 0 or not emulates(kvm)


def test_39_interrupts_that_are_let_in_shortly_before_an_exit(kvm: Guest, sim: Guest) -> None:
    for guest, kinds in ((kvm, (HltExit, Interrupted) if emulates(kvm) else (Interrupted,)), (sim, (Interrupted,))):
        guest.load("sti\ninc rcx\ninc rcx\nhlt")
        assert not guest.vcpu.interrupt(0x40)
        assert isinstance(guest.vcpu.run(), kinds)
    assert sim.vcpu.registers().rcx == 1


def test_40_the_resume_flag_in_the_frame_of_an_interrupt(kvm: Guest, sim: Guest) -> None:
    found: list[int] = []
    for guest in (kvm, sim):
        handle(guest, {0x40: "mov rax, [rsp + 16]\nhlt"})
        guest.load("nop", rflags=RFLAGS_IF | 2)
        assert guest.vcpu.interrupt(0x40)
        assert isinstance(guest.vcpu.run(), HltExit)
        found.append(guest.vcpu.registers().rax & RFLAGS_RF)
    assert found[1] == 0
    assert found[0] == 0 or not emulates(kvm)


def test_41_a_code_segment_with_a_base(kvm: Guest, sim: Guest) -> None:
    """Bits 23 to 16 of the base of CS, in the fifth byte of its descriptor in the GDT. Where it is added, HLT waits."""
    frame = "mov rcx, rsp\npush 0x10\npush rcx\npush 2\npush 8\nlea rax, [rip + on]\npush rax\niretq"
    for guest, executed in ((kvm, True), (sim, False)):
        guest.memory.write(code_base(0) + 0x10000, b"\xf4" * 0x100)
        guest.load(f"mov byte ptr [rbx], 1\n{frame}\non: mov rcx, 7\nhlt", rbx=12, rsp=PAGE + 0x1000)
        assert isinstance(guest.vcpu.run(), HltExit)
        assert (guest.vcpu.registers().rcx == 7) == executed

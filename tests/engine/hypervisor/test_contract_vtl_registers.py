"""The contract: what each VTL of a vCPU keeps for itself, and what all share (TLFS, Private State and Shared State)."""

import errno

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.conformance.handlers import handle
from engine.hypervisor.contract.errors import HypervisorError, Unsupported
from engine.model.exits import HltExit
from engine.model.layout import PAGE_DIRECTORIES, PDPT, PML4
from engine.model.resolution import Inject
from engine.model.rights import Rights
from engine.model.system_registers import Segment, TableRegister
from engine.x86.paging import PRESENT, WRITABLE
from tests.engine.hypervisor.guest import LONG_MODE, Guest

OTHER_TABLES = 0x1A0000
ALIAS = 0x40000000
"""Through the other tables, as address 0 is through the guest's own."""
NULL = Segment()


def _other_tables(guest: Guest) -> int:
    """Page tables as the guest's own, in which the second GiB leads to the first one too; their CR3."""
    directory = OTHER_TABLES + 0x1000
    rights = PRESENT | WRITABLE
    entries = [PAGE_DIRECTORIES | rights] * 2
    guest.memory.write(OTHER_TABLES, (directory | rights).to_bytes(8, "little"))
    guest.memory.write(directory, b"".join(entry.to_bytes(8, "little") for entry in entries))
    return OTHER_TABLES


def test_a_vcpu_begins_in_long_mode_in_every_vtl(guest: Guest) -> None:
    own = guest.vcpu.system_registers(0)
    assert own == guest.vcpu.system_registers(1)
    assert (own.cr3, own.cpl, own.cs.selector, own.gdtr.limit) == (PML4, 0, 8, 23)


def test_what_is_set_is_read(guest: Guest) -> None:
    changed = replace(
        guest.vcpu.system_registers(1),
        cr3=0x5000,
        fs=Segment(0x1234_5678_9ABC, 0xFFFF_FFFF, 0x10, 0xC093),
        es=NULL,
        idtr=TableRegister(0x7000, 0xFFF),
        gdtr=TableRegister(0x6000, 0x7F),
        kernel_gs_base=0x77,
        lstar=0xFFFF_8000_0000_0000,
        star=0x0008_0000_0000_0000,
        pat=0x0007_0406_0007_0400,
        sysenter_esp=0x9000,
    )
    before = guest.vcpu.system_registers(0)
    guest.vcpu.set_system_registers(1, changed)
    assert guest.vcpu.system_registers(1) == changed
    assert guest.vcpu.system_registers(0) == before


def test_page_tables_are_each_vtls_own(guest: Guest) -> None:
    """VTL0 moves to other tables; VTL1, whose tables lack the address, is not moved."""
    tables = _other_tables(guest)
    guest.memory.write(PDPT + 8, bytes(8))
    guest.memory.write(Guest.PAGE, (7).to_bytes(8, "little"))
    load = f"mov rbx, {ALIAS + Guest.PAGE:#x}\nmov rax, [rbx]\nhlt"
    guest.load(f"mov rax, {tables:#x}\nmov cr3, rax\n{load}")
    assert isinstance(guest.vcpu.run(), HltExit)
    assert guest.vcpu.registers().rax == 7
    assert [guest.vcpu.system_registers(vtl).cr3 for vtl in (0, 1)] == [tables, PML4]
    guest.vcpu.enter_vtl(1)
    guest.load(load)
    assert not isinstance(guest.vcpu.run(), HltExit)


def test_a_vtl_goes_on_with_the_tables_that_it_was_given(guest: Guest) -> None:
    """Also one that has executed with others before."""
    load = f"mov rax, [rbx]\nhlt\nmov rbx, {ALIAS + Guest.PAGE:#x}\nmov rax, [rbx]\nhlt"
    guest.memory.write(PDPT + 8, bytes(8))
    guest.memory.write(Guest.PAGE, (7).to_bytes(8, "little"))
    guest.vcpu.enter_vtl(1)
    guest.load(load, rbx=Guest.PAGE)
    assert isinstance(guest.vcpu.run(), HltExit)
    guest.vcpu.enter_vtl(0)
    given = replace(guest.vcpu.system_registers(1), cr3=_other_tables(guest))
    guest.vcpu.set_system_registers(1, given)
    guest.vcpu.enter_vtl(1)
    assert isinstance(guest.vcpu.run(), HltExit)
    assert guest.vcpu.registers().rax == 7


def test_segments_and_msrs_of_the_guests_own_making(guest: Guest) -> None:
    """WRMSR of FS base, LSTAR and PAT, a load of ES, LIDT, in VTL0."""
    code = f"""
        mov ecx, 0xC0000100
        mov eax, 0x5678
        mov edx, 0x12
        wrmsr
        mov ecx, 0xC0000082
        wrmsr
        xor eax, eax
        mov es, ax
        mov rbx, {Guest.PAGE:#x}
        mov word ptr [rbx], 0x1FF
        mov [rbx + 2], rbx
        lidt [rbx]
        hlt"""
    other = guest.vcpu.system_registers(1)
    guest.load(code)
    assert isinstance(guest.vcpu.run(), HltExit)
    found = guest.vcpu.system_registers(0)
    assert (found.fs.base, found.lstar, found.es.selector) == (0x12_0000_5678, 0x12_0000_5678, 0)
    assert not found.es.present
    assert found.idtr == TableRegister(Guest.PAGE, 0x1FF)
    assert guest.vcpu.system_registers(1) == other


def test_a_base_that_was_set_is_the_one_that_is_used(guest: Guest) -> None:
    system = guest.vcpu.system_registers(0)
    guest.vcpu.set_system_registers(0, replace(system, gs=replace(system.gs, base=Guest.PAGE)))
    guest.load("mov rax, gs:[rbx + 8]\nhlt")
    assert isinstance(guest.vcpu.run(), HltExit)
    assert guest.vcpu.registers().rax == 0x1111_1111_1111_1111


def test_the_task_priority_is_each_vtls_own(guest: Guest) -> None:
    system = guest.vcpu.system_registers(1)
    guest.vcpu.set_system_registers(1, replace(system, cr8=7))
    guest.load("mov cr8, rax\nmov rbx, cr8\nhlt", rax=5)
    assert isinstance(guest.vcpu.run(), HltExit)
    assert (guest.vcpu.registers().rbx, guest.vcpu.system_registers(0).cr8) == (5, 5)
    guest.vcpu.enter_vtl(1)
    guest.load("mov rbx, cr8\nhlt")
    assert isinstance(guest.vcpu.run(), HltExit)
    assert (guest.vcpu.registers().rbx, guest.vcpu.system_registers(1).cr8) == (7, 7)


def test_xmm_registers_and_cr2_go_along(guest: Guest) -> None:
    guest.vcpu.set_xmm(bytes(range(256)))
    guest.load("movdqu xmm3, [rbx]\nmov cr2, rcx\nhlt", rbx=Guest.PAGE, rcx=0x9000)
    assert isinstance(guest.vcpu.run(), HltExit)
    guest.vcpu.enter_vtl(1)
    assert guest.vcpu.xmm() == bytes(range(48)) + b"\x11" * 16 + bytes(range(64, 256))
    guest.load("movdqu [rbx], xmm2\nmovdqu xmm4, xmm3\nmov rax, cr2\nhlt", rbx=Guest.PAGE)
    assert isinstance(guest.vcpu.run(), HltExit)
    assert (guest.word(), guest.vcpu.registers().rax) == (0x2726_2524_2322_2120, 0x9000)
    guest.vcpu.enter_vtl(0)
    assert guest.vcpu.xmm()[64:80] == b"\x11" * 16


def test_breakpoints_go_along_but_not_what_turns_them_on(guest: Guest) -> None:
    """TLFS, Shared State: DR0 to DR3; Private State: DR7, here with L3 and of a data breakpoint that is never met."""
    guest.load("mov dr0, rax\nmov dr3, rbx\nmov dr7, rcx\nhlt", rax=0x123000, rbx=0x456000, rcx=0x1000_0440)
    assert isinstance(guest.vcpu.run(), HltExit)
    guest.vcpu.enter_vtl(1)
    guest.load("mov rax, dr0\nmov rbx, dr3\nmov rcx, dr7\nmov dr3, rdx\nhlt", rdx=0x789000)
    assert isinstance(guest.vcpu.run(), HltExit)
    found = guest.vcpu.registers()
    assert (found.rax, found.rbx, found.rcx) == (0x123000, 0x456000, 0x400)
    guest.vcpu.enter_vtl(0)
    guest.load("mov rbx, dr3\nmov rcx, dr7\nhlt")
    assert isinstance(guest.vcpu.run(), HltExit)
    assert (guest.vcpu.registers().rbx, guest.vcpu.registers().rcx) == (0x789000, 0x1000_0440)


def test_x87_registers_and_mxcsr_go_along(guest: Guest) -> None:
    """By FXRSTOR in one VTL and FXSAVE in the other: control word, two registers in use, MXCSR."""
    control, status, tags, mxcsr = b"\x7f\x02", b"\x00\x30", b"\xc0", b"\x80\x3f\x00\x00"
    values = bytes(range(10)) + bytes(6) + bytes(range(10, 20)) + bytes(6)
    image = (control + status + tags).ljust(24, b"\x00") + mxcsr + bytes(4) + values
    guest.memory.write(Guest.PAGE, image.ljust(512, b"\x00"))
    guest.load("fxrstor [rbx]\nhlt", rbx=Guest.PAGE)
    assert isinstance(guest.vcpu.run(), HltExit)
    guest.vcpu.enter_vtl(1)
    guest.load("fxsave [rbx]\nhlt", rbx=Guest.PAGE + 0x1000)
    assert isinstance(guest.vcpu.run(), HltExit)
    saved = guest.memory.read(Guest.PAGE + 0x1000, len(image))
    assert (saved[:5], saved[24:28], saved[32:42], saved[48:58]) == (image[:5], mxcsr, values[:10], values[16:26])


REFUSED = {
    "paging without protection": {"cr0": 0x8000_0032},
    "NW without CD": {"cr0": 0xA005_0033},
    "cr3 too wide": {"cr3": 1 << 52},
    "no PAE": {"cr4": 0x600},
    "LMA without LME": {"efer": 0x400},
    "LME without LMA": {"efer": 0x900},
    "bits of EFER that no processor has": {"efer": 1 << 63 | 0xD00},
    "a selector in SS of another ring": {"ss": Segment(0, 0xFFFF_FFFF, 0x12, 0xC093)},
    "a null selector in SS of another ring": {"ss": Segment(0, 0, 2)},
    "no code segment": {"cs": NULL},
    "data in CS": {"cs": Segment(0, 0xFFFF_FFFF, 8, 0xA093)},
    "CS of ring 3, SS of ring 0": {"cs": Segment(0, 0xFFFF_FFFF, 8, 0xA0FB)},
    "a system segment in DS": {"ds": Segment(0, 0xFFFF, 0, 0x8B)},
    "no TSS": {"tr": NULL},
    "a TSS in LDTR": {"ldtr": Segment(0, 0xFFFF, 0, 0x8B)},
    "limit bits in the attributes": {"ds": Segment(0, 0xFFFF_FFFF, 16, 0xCF93)},
    "a base that is not canonical": {"fs": Segment(1 << 63, 0xFFFF_FFFF, 16, 0xC093)},
    "a table that is not canonical": {"idtr": TableRegister(1 << 63, 0)},
    "a limit of a table of 17 bits": {"gdtr": TableRegister(0, 1 << 16)},
    "an entry that is not canonical": {"lstar": 1 << 63},
    "an unknown memory type": {"pat": 2},
    "a task priority of 5 bits": {"cr8": 16},
    "65 bits": {"star": 1 << 64},
    "less than nothing": {"sfmask": -1},
}


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED.keys())
def test_what_no_processor_can_have_is_refused_whole(guest: Guest, change: dict[str, object]) -> None:
    before = guest.vcpu.system_registers(1)
    with pytest.raises(HypervisorError) as refused:
        guest.vcpu.set_system_registers(1, replace(LONG_MODE, kernel_gs_base=5, **change))
    assert refused.value.errno == errno.EINVAL
    assert guest.vcpu.system_registers(1) == before


def test_a_bit_that_this_processor_lacks_is_refused(guest: Guest) -> None:
    """CR4 bit 63."""
    before = guest.vcpu.system_registers(0)
    with pytest.raises(HypervisorError) as refused:
        guest.vcpu.set_system_registers(0, replace(before, cr4=before.cr4 | 1 << 63, kernel_gs_base=5))
    assert refused.value.errno == errno.EINVAL
    assert guest.vcpu.system_registers(0) == before


@pytest.mark.parametrize(
    "change",
    [{"cr0": 0x0000_0011, "efer": 0, "cs": Segment(0, 0xFFFF_FFFF, 8, 0xC09B)}, {"cs": Segment(0, 0xFFFF, 8, 0x809B)}],
    ids=["protected mode", "compatibility mode"],
)
def test_other_modes_are_not_to_be_had(guest: Guest, change: dict[str, object]) -> None:
    with pytest.raises(Unsupported):
        guest.vcpu.set_system_registers(1, replace(LONG_MODE, **change))


def test_a_vtl_that_is_not_there_has_no_registers(guest: Guest) -> None:
    with pytest.raises(HypervisorError) as read:
        guest.vcpu.system_registers(2)
    with pytest.raises(HypervisorError) as written:
        guest.vcpu.set_system_registers(-1, LONG_MODE)
    assert {read.value.errno, written.value.errno} == {errno.EINVAL}


def test_xmm_registers_are_256_bytes(guest: Guest) -> None:
    with pytest.raises(HypervisorError) as refused:
        guest.vcpu.set_xmm(bytes(255))
    assert refused.value.errno == errno.EINVAL


def test_an_exit_that_waits_keeps_its_vtl_as_it_is(guest: Guest) -> None:
    """The other VTL's registers may be set meanwhile, and all may be read."""
    guest.load("in al, 0x10\nhlt")
    guest.vcpu.run()
    system = guest.vcpu.system_registers(0)
    guest.vcpu.set_system_registers(1, replace(system, kernel_gs_base=5))
    assert guest.vcpu.system_registers(1).kernel_gs_base == 5
    with pytest.raises(HypervisorError) as refused:
        guest.vcpu.set_system_registers(0, system)
    assert refused.value.errno == errno.EBUSY


def test_the_address_of_a_page_fault_is_there_for_all(guest: Guest) -> None:
    handle(guest, {14: "hlt"})
    guest.load("hlt")
    guest.vcpu.inject(Inject(14, 0, 0xABC000))
    assert isinstance(guest.vcpu.run(), HltExit)
    guest.vcpu.enter_vtl(1)
    assert guest.vcpu.cr2() == 0xABC000
    guest.vcpu.set_cr2(0xDEF000)
    guest.load("mov rax, cr2\nhlt")
    assert isinstance(guest.vcpu.run(), HltExit)
    assert guest.vcpu.registers().rax == 0xDEF000


_addresses = st.one_of(st.integers(0, (1 << 47) - 1), st.integers((1 << 64) - (1 << 47), (1 << 64) - 1))
_msrs = st.fixed_dictionaries({name: _addresses for name in ("kernel_gs_base", "star", "lstar", "cstar", "sfmask")})


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_msrs)
def test_model_specific_registers_are_kept(guest: Guest, values: dict[str, int]) -> None:
    wanted = replace(guest.vcpu.system_registers(1), **values)
    guest.vcpu.set_system_registers(1, wanted)
    assert guest.vcpu.system_registers(1) == wanted


def test_an_instruction_that_is_completed_has_the_vector_registers(guest: Guest) -> None:
    """Also when whatever completes it has had XMM3 clear itself, in the call before."""
    guest.fence(Rights.NONE)
    guest.load("movdqu [rdi], xmm3\njmp rsi", at=Guest.PAGE)
    code = "jmp rcx\nmovdqu xmm3, [rbx]\nadd edi, 16\nadd esi, 12\njmp rcx\nhlt"
    guest.load(code, rbx=0x10000, rcx=Guest.PAGE, rdi=Guest.DATA, rsi=0x10002)
    guest.drive()
    assert guest.memory.read(Guest.DATA, 32) == bytes(16) + guest.memory.read(0x10000, 16)

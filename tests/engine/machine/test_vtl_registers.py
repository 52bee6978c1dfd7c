"""Registers of each VTL, as guest code has them and as hypercalls get and set them; the same on every hypervisor."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.abi.tlfs.registers import RegisterName as Name
from engine.model.events import HypercallServed
from engine.session.host import Host
from tests.engine.machine.vsm_guest import (
    CONTEXT,
    PAGE,
    SETUP,
    STATUSES,
    TABLES,
    VTL_CALL,
    VTL_RETURN,
    enabled,
    get_register,
    guest,
    put,
    set_register,
    tables,
)
from tests.engine.machine.vsm_run import Ran

OUT = STATUSES + 0x800
FS_BASE = 0x12_3456_7000


def store(register: str, at: int) -> str:
    return f"mov rbx, {at:#x}\nmov [rbx], {register}"


def state(at: int) -> str:
    """RFLAGS, CR3, the base of FS and the task priority, stored."""
    fs_base = "mov ecx, 0xc0000100\nrdmsr\nshl rdx, 32\nor rax, rdx"
    reads = ("pushfq\npop rax", "mov rax, cr3", fs_base, "mov rax, cr8")
    return "\n".join(f"{read}\n{store('rax', at + 8 * n)}" for n, read in enumerate(reads))


def test_row_12_rflags_cr3_fs_base_and_tpr_are_each_vtls_own(run) -> None:
    """Isolation: VTL1 begins as its context says, each has its own after switches, whatever the other does."""
    setup = (tables(), *enabled(cr3=TABLES, fs_base=FS_BASE, rflags=0x8D7))
    fs = "mov ecx, 0xc0000100\nmov eax, {:#x}\nxor edx, edx\nwrmsr"
    vtl0 = (*setup, VTL_CALL, fs.format(0x5000), "mov eax, 5\nmov cr8, rax\nstd", VTL_CALL, state(OUT))
    lower = (fs.format(0), "mov rax, 0x1000\nmov cr3, rax", "mov eax, 9\nmov cr8, rax\ncld")
    ran = run(guest(*vtl0, vtl1=(state(OUT + 0x40), VTL_RETURN, state(OUT + 0x80), *lower, VTL_RETURN)))
    assert ran.end == "halted"
    (flags0, *of_vtl0), (flags1, *of_vtl1), (_, *later) = (ran.words(OUT + at, 4) for at in (0, 0x40, 0x80))
    assert (flags1, of_vtl1) == (0x8D7, [TABLES, FS_BASE, 0])
    assert later == of_vtl1
    assert (flags0 & 0x400, of_vtl0) == (0x400, [0x1000, 0x5000, 5])


def test_a_vtl_begins_in_its_own_page_tables_and_the_other_may_change_its_own(run) -> None:
    """VTL1 loads through an address that only its tables have; VTL0 moves to tables of its own meanwhile."""
    load = f"mov rbx, {0x4000_0000 + PAGE:#x}\nmov rax, [rbx]\n{store('rax', OUT + 8)}"
    move = f"mov rax, {TABLES + 0x4000:#x}\nmov cr3, rax"
    vtl0 = (tables(), tables(TABLES + 0x4000), put(PAGE, 77), *enabled(cr3=TABLES), move, VTL_CALL, "mov rax, cr3")
    ran = run(
        guest(
            *vtl0,
            store("rax", OUT),
            vtl1=(load, "mov rax, cr3", store("rax", OUT + 16), VTL_RETURN),
        )
    )
    assert ran.words(OUT, 3) == [TABLES + 0x4000, 77, TABLES]


def test_segments_and_tables_of_a_context_are_the_vtls(run) -> None:
    """DS is null, GS has a base, the IDT and the GDT are where it says."""
    gdt = put(0x213000, 0, 0x00AF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF)
    context = {"ds": 0, "gs_base": PAGE, "idtr": 0x214000, "idtr_limit": 0x7F << 48, "gdtr": 0x213000}
    seen = (
        f"mov rax, gs:[8]\n{store('rax', OUT)}\nmov eax, ds\n{store('rax', OUT + 8)}\nsidt [rbx + 8]\nsgdt [rbx + 24]"
    )
    ran = run(guest(gdt, put(PAGE, 1, 2), *enabled(**context), VTL_CALL, vtl1=(seen, VTL_RETURN)))
    words = ran.words(OUT, 6)
    assert (words[:2], words[2] & 0xFFFF, words[4] & 0xFFFF) == ([2, 0], 0x7F, 23)
    assert (words[2] >> 16, words[4] >> 16) == (0x214000, 0x213000)


@pytest.mark.parametrize(
    "context",
    [
        {"cs": 0},
        {"cs": 0xC09B_0008_FFFF_FFFF},
        {"cs": 0xA0FB_0008_FFFF_FFFF},
        {"cr0": 0x11, "efer": 0, "cs": 0xC09B_0008_FFFF_FFFF},
        {"cr3": 1 << 52},
        {"cr4": 0x620 | 1 << 63},
        {"fs_base": 1 << 62},
        {"pat": 2},
        {"tr": 0},
    ],
    ids=["no CS", "32-bit CS", "CS of ring 3", "protected mode", "CR3", "CR4", "FS base", "PAT", "no TSS"],
)
def test_a_context_that_no_vtl_here_can_begin_with_is_refused(run, context) -> None:
    ran = run(guest(*enabled(**context), get_register(0xD0003, OUT)))
    told = [event for event in ran.of(HypercallServed) if event.call == "EnableVpVtl"]
    assert [(event.status, bool(event.why)) for event in told] == [("INVALID_REGISTER_VALUE", True)]
    assert ran.words(OUT, 1) == [1 << 16], "VTL1 is not enabled on the processor"


VALUES = {
    Name.CR0: 0x8005_003B,
    Name.CR3: 0x1018,
    Name.CR4: 0x6A0,
    Name.EFER: 0xD01,
    Name.PAT: 0x0007_0406_0007_0400,
    Name.KERNEL_GS_BASE: 0xFFFF_8000_1234_5678,
    Name.STAR: 0x0013_0008_0000_0000,
    Name.LSTAR: 0x7FFF_1234_5678,
    Name.CSTAR: 0x1000,
    Name.SFMASK: 0x4700,
    Name.SYSENTER_CS: 8,
    Name.SYSENTER_EIP: 0x5000,
    Name.SYSENTER_ESP: 0x9000,
    Name.CR2: 0xFFFF_8000_0000_1234,
    Name.CR8: 5,
    Name.FS: 0xC093_0010_FFFF_FFFF << 64 | 0x1234_5000,
    Name.ES: 0,
    Name.LDTR: 0x0082_0000_0000_FFFF << 64 | 0x6000,
    Name.IDTR: 0x9000 << 64 | 0xFFF << 48,
    Name.GDTR: 0xA000 << 64 | 0x7F << 48,
    Name.XMM0: 0x1111_2222_3333_4444_5555_6666_7777_8888,
    Name.XMM0 + 15: (1 << 128) - 1,
}


@pytest.mark.parametrize(("name", "value"), VALUES.items(), ids=[f"{name:#x}" for name in VALUES])
def test_vtl1_sets_a_register_of_vtl0_and_reads_it(run, name, value) -> None:
    """VTL0 halts with it; of those that are private VTL1's own stays."""
    vtl1 = (get_register(name, OUT + 32, 0x11), set_register(name, value, 0x10), get_register(name, OUT, 0x10))
    ran = run(guest(*SETUP, VTL_CALL, vtl1=(*vtl1, get_register(name, OUT + 16, 0x11), VTL_RETURN)))
    assert ran.served[-3:] == [("SetVpRegisters", "SUCCESS", 1), *[("GetVpRegisters", "SUCCESS", 1)] * 2]
    of_vtl0, of_vtl1, before = (low | high << 64 for low, high in zip(*[iter(ran.words(OUT, 6))] * 2, strict=True))
    assert of_vtl0 == value
    assert of_vtl1 == (value if name in (Name.XMM0, Name.XMM0 + 15, Name.CR2) else before)


@pytest.mark.parametrize(
    ("name", "value"),
    [(Name.CR3, 1 << 52), (Name.EFER, 0), (Name.CR0, 0), (Name.CS, 0), (Name.LSTAR, 1 << 63), (Name.CR4, 1 << 64)],
)
def test_a_register_that_would_not_be_one_is_refused(run, name, value) -> None:
    vtl1 = (set_register(name, value, 0x10), get_register(name, OUT, 0x10), VTL_RETURN)
    ran = run(guest(get_register(name, OUT + 16), *SETUP, VTL_CALL, vtl1=vtl1))
    assert ran.served[-2:] == [("SetVpRegisters", "INVALID_REGISTER_VALUE", 0), ("GetVpRegisters", "SUCCESS", 1)]
    assert ran.words(OUT, 2) == ran.words(OUT + 16, 2)
    assert ran.end == "halted"


def test_vtl1_moves_vtl0_to_other_page_tables(run) -> None:
    vtl0 = (tables(), put(PAGE, 77), *SETUP, VTL_CALL, f"mov rbx, {0x4000_0000 + PAGE:#x}\nmov rax, [rbx]")
    ran = run(guest(*vtl0, store("rax", OUT), vtl1=(set_register(Name.CR3, TABLES, 0x10), VTL_RETURN)))
    assert ran.words(OUT, 1) == [77]


_words = st.sampled_from([0, 1, 0x620, 0xD00, 0x8005_0033, (1 << 64) - 1]) | st.integers(0, (1 << 64) - 1)
_contexts = st.dictionaries(st.sampled_from(list(CONTEXT)), _words, max_size=4)


class Brief(Ran):
    seconds = 1.0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_contexts)
def test_whatever_context_a_guest_gives_it_gets_a_status(host: Host, scenario, context) -> None:
    """And goes on; a VTL1 that begins badly may end the vCPU or go round without end, and nothing else."""
    ran = Brief(host, scenario, guest(*enabled(**context), VTL_CALL, vtl1=(VTL_RETURN,)))
    (status,) = (status for call, status, _ in ran.served if call == "EnableVpVtl")
    assert status in ("SUCCESS", "INVALID_REGISTER_VALUE")
    assert ran.end in ("halted", "dead", "stopped")

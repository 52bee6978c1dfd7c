"""The twenty checks of the kvm-unit-tests for VSM (x86/hyperv_vsm.c), by guest code, the same on every hypervisor.

A test is named after its row; a row that has a file of its own is in ELSEWHERE.
"""

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from engine.abi.tlfs.interface import PARTITION_ID_SELF, VP_INDEX_SELF
from engine.model.events import InterceptDelivered
from engine.model.rights import Rights
from engine.session.host import Host
from engine.vsm.intercept import Intercept, decode_message, decode_payload
from tests.engine.machine.vsm_guest import (
    ENABLE_PARTITION_VTL,
    INPUT,
    PAGE,
    SETUP,
    STATUSES,
    VTL_CALL,
    VTL_RETURN,
    WITH_PAGES,
    call,
    enable_vp_vtl,
    fence,
    get_register,
    guest,
    protect,
    put,
)
from tests.engine.machine.vsm_run import Ran

ELSEWHERE = {
    6: "test_xmm_hypercalls::test_row_6_five_names_have_no_room_for_their_values",
    12: "test_vtl_registers::test_row_12_rflags_cr3_fs_base_and_tpr_are_each_vtls_own",
    13: "test_processors::test_row_13_a_processor_waits_for_the_tlb_lock_of_another",
    14: "test_interrupts::test_row_14_an_interrupt_of_another_processor_preempts_vtl0",
    20: "test_translate::test_row_20_a_guest_translates_its_own_addresses",
}
"""Module and test, by row."""
ROWS = set(range(1, 21))
NONE, READ, READ_WRITE, ALL = 0x0, 0x1, 0x3, 0xF
OUT = STATUSES + 0x800
RIP, VP_STATUS, PARTITION_STATUS, PARTITION_CONFIG = 0x20010, 0xD0003, 0xD0004, 0xD0007


@pytest.fixture
def run(host: Host, scenario: Callable[..., Any]) -> Callable[..., Ran]:
    def ran(*vtl0: str, vtl1: tuple[str, ...] = (VTL_RETURN,), **fields: object) -> Ran:
        asked = {"on_protection": "intercept", "vsm_profile": "kut-vsm"} | fields
        return Ran(host, scenario, guest(*vtl0, vtl1=vtl1), **asked)

    return ran


def get(name: int = RIP, vp: int = VP_INDEX_SELF, vtl: int = 0, count: int = 1) -> str:
    """GetVpRegisters."""
    return put(INPUT, PARTITION_ID_SELF, vtl << 32 | vp, *[name] * count) + call(count << 32 | 0x50, r8=OUT)


def enable_partition(vtl: int, partition: int = PARTITION_ID_SELF, mbec: int = 0) -> str:
    """EnablePartitionVtl, fast."""
    return call(0x1_000D, partition, vtl | mbec << 8)


def enable_vp(vtl: int = 1, vp: int = 0, partition: int = PARTITION_ID_SELF) -> str:
    """EnableVpVtl; the context is that of `enable_vp_vtl`, which must stand before."""
    return put(INPUT, partition, vtl << 32 | vp) + call(0x0F)


def status(ran: Ran) -> str:
    return ran.served[-1][1]


def test_every_row_is_here_or_elsewhere() -> None:
    named = (re.match(r"test_row_(\d+)(?:_and_(\d+))?_", name) for name in globals())
    here = {int(row) for found in named if found for row in found.groups() if row}
    for row, where in ELSEWHERE.items():
        module, name = where.split("::")
        assert callable(getattr(import_module(f"{__package__}.{module}"), name)), row
    assert sorted(here | set(ELSEWHERE)) == sorted(ROWS)


def test_row_1_a_bad_vp_index(run) -> None:
    assert status(run(get(vp=99))) == "INVALID_VP_INDEX"


def test_row_2_a_bad_vtl(run) -> None:
    assert status(run(get(vtl=0x1F))) != "SUCCESS"


def test_row_3_registers_of_vtl1_from_vtl0(run) -> None:
    assert status(run(*SETUP, get(vtl=0x11))) == "ACCESS_DENIED"


def test_row_4_a_bad_register(run) -> None:
    assert status(run(get(name=0xFFFF_FFFF))) == "INVALID_PARAMETER"


def test_row_5_no_registers(run) -> None:
    """Against TLFS, which the default profile follows (docs/vtl.md, Profiles)."""
    none = put(INPUT, PARTITION_ID_SELF, VP_INDEX_SELF) + call(0x50, r8=OUT)
    assert [status(run(none, vsm_profile=profile)) for profile in ("kut-vsm", "tlfs")] == [
        "SUCCESS",
        "INVALID_HYPERCALL_INPUT",
    ]


def test_row_7_another_partition(run) -> None:
    assert status(run(enable_partition(1, partition=42))) == "INVALID_PARTITION_ID"


@pytest.mark.parametrize("vtl", [0, 15], ids=["VTL0", "beyond the maximum"])
def test_row_8_a_vtl_that_cannot_be_enabled(run, vtl) -> None:
    assert status(run(enable_partition(vtl))) == "INVALID_PARAMETER"


def test_row_8_mbec_where_it_is_not_supported(run, host) -> None:
    supported = host.hypervisor.capabilities.mbec
    assert status(run(enable_partition(1, mbec=1))) == ("SUCCESS" if supported else "INVALID_PARAMETER")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"partition": 42}, "INVALID_PARTITION_ID"),
        ({"vp": 0xFFFF_FFFF}, "INVALID_VP_INDEX"),
        ({"vtl": 0}, "INVALID_PARAMETER"),
    ],
    ids=["partition", "vp", "VTL0"],
)
def test_row_9_enable_vp_vtl_of_what_there_is_not(run, fields, expected) -> None:
    assert status(run(*SETUP, enable_vp(**fields))) == expected


def test_row_10_only_vtl0_at_first(run) -> None:
    ran = run(get_register(VP_STATUS, OUT), get_register(PARTITION_STATUS, OUT + 16))
    assert (ran.words(OUT, 1), ran.words(OUT + 16, 1)[0] & 0xFFFF) == ([0b1 << 16], 0b1)


def test_row_11_both_once_enabled(run) -> None:
    ran = run(*SETUP, get_register(VP_STATUS, OUT), get_register(PARTITION_STATUS, OUT + 16))
    assert (ran.words(OUT, 1), ran.words(OUT + 16, 1)[0] & 0xFFFF) == ([0b11 << 16], 0b11)


def test_row_11_no_other_processor_helps_itself(run) -> None:
    """A VTL that runs on one processor is enabled on others by itself only: from VTL1, not from VTL0."""
    vcpus = [{"asm": guest(ENABLE_PARTITION_VTL, enable_vp_vtl(), enable_vp(vp=1), VTL_CALL, vtl1=(enable_vp(vp=1),))}]
    ran = run(vcpus=[*vcpus, {"asm": "hlt"}])
    assert [status for _, status, _ in ran.served] == ["SUCCESS", "SUCCESS", "ACCESS_DENIED", "SUCCESS"]


def test_row_15_a_default_mask_stays(run) -> None:
    """VTL1 leaves RWX when it turns protection on, and cannot leave less afterwards."""
    read = get_register(PARTITION_CONFIG, OUT, vtl=0x11)
    ran = run(*SETUP, VTL_CALL, vtl1=(protect(), protect(0b1 | READ_WRITE << 1), read, VTL_RETURN))
    assert [status for _, status, _ in ran.served[2:]] == ["SUCCESS", "INVALID_REGISTER_VALUE", "SUCCESS"]
    assert ran.words(OUT, 1) == [0x3F]


def intercepted(run: Callable[..., Ran], rights: int, *access: str, after: tuple[str, ...] = ("hlt",)) -> Ran:
    """VTL1 fences PAGE, and VTL0 does `access` with RAX at it; then VTL1 does `after`."""
    vtl1 = (*WITH_PAGES, protect(), put(PAGE, 0xC3), fence(rights, PAGE >> 12), VTL_RETURN, *after)
    return run(*SETUP, VTL_CALL, f"mov rax, {PAGE:#x}", *access, vtl1=vtl1)


def message(ran: Ran) -> Intercept:
    (event,) = ran.of(InterceptDelivered)
    found = decode_message(event.message)
    assert found is not None
    payload = decode_payload(found.payload)
    assert payload is not None
    return payload


@pytest.mark.parametrize(
    ("rights", "instruction", "access", "code"),
    [(NONE, "mov rax, [rax]", 0, "48 8b 00"), (READ, "mov [rax], rax", 1, "48 89 00")],
    ids=["row 16, read", "row 17, write"],
)
def test_row_16_and_17_a_denied_access_is_told_with_its_instruction(run, rights, instruction, access, code) -> None:
    found = message(intercepted(run, rights, instruction))
    assert (found.access, found.gpa, found.gva) == (access, PAGE, PAGE)
    assert (found.byte_count, found.instruction_length) == (3, 3)
    assert found.instruction[:3] == bytes.fromhex(code)


def test_row_18_a_denied_fetch_is_told_after_the_call_has_pushed(run, host) -> None:
    """RSP is eight bytes further down; what has not been fetched has no bytes. A host that has only whole pages refuses
    the mask, and says why."""
    ran = intercepted(run, READ_WRITE, f"mov rbx, {OUT:#x}\nmov [rbx], rsp", "call rax")
    if not host.hypervisor.capabilities.enforces(Rights.RW):
        assert status(ran) == "OPERATION_FAILED"
        return
    found = message(ran)
    assert (found.access, found.rip, found.gpa, found.byte_count) == (2, PAGE, PAGE, 0)
    assert found.registers is not None
    assert found.registers.general[4] == ran.words(OUT, 1)[0] - 8


def test_row_19_relaxed_the_access_is_done(run) -> None:
    """VTL1 gives all rights back and returns; VTL0's load has the page's content, and only one was denied."""
    relax = ("push rbx", "mov r8, 0x208010\nmov [r8], rax\nmov [r8 + 8], rcx", fence(ALL, PAGE >> 12), "pop rbx")
    slow_return = "mov rcx, 0\nmov rax, 0x7020\ncall rax"
    store = f"mov rbx, {OUT:#x}\nmov [rbx], rax"
    ran = intercepted(run, NONE, "mov rax, [rax]", store, after=(*relax, slow_return))
    assert (ran.words(OUT, 1), ran.denied, ran.end) == ([0xC3], [(0, PAGE)], "halted")

"""Hypercalls and VTL switches of guest code, the same on every hypervisor."""

import pytest

from engine.model.events import HypercallServed, MaskChanged, VtlSwitched
from engine.model.rights import Rights
from engine.session.outcome import run_to_end
from tests.engine.machine.vsm_guest import (
    ENABLE_PARTITION_VTL,
    PAGE,
    SETUP,
    STATUSES,
    STORE,
    VTL1_STACK,
    VTL_CALL,
    VTL_RETURN,
    call,
    enable_vp_vtl,
    fence,
    get_register,
    guest,
    protect,
    put,
    switch,
)

READ, ALL = 0x1, 0xF


def test_vtl1_fences_a_page_and_vtl0_is_stopped(run) -> None:
    """VTL0 enables VTL1 and calls it; VTL1 takes W from a page and returns; VTL0's store does not happen."""
    ran = run(guest(*SETUP, VTL_CALL, STORE, vtl1=(protect(), fence(READ, PAGE >> 12), VTL_RETURN)))
    assert ran.served == [
        ("EnablePartitionVtl", "SUCCESS", 0),
        ("EnableVpVtl", "SUCCESS", 0),
        ("SetVpRegisters", "SUCCESS", 1),
        ("ModifyVtlProtectionMask", "SUCCESS", 1),
    ]
    assert [(event.first, event.pages, event.rights) for event in ran.of(MaskChanged)] == [(PAGE >> 12, 1, READ)]
    assert (ran.denied, ran.page, ran.end) == ([(0, PAGE)], 0, "halted")
    switches = [(event.from_vtl, event.to_vtl, event.reason) for event in ran.of(VtlSwitched)]
    assert switches == [(0, 1, "call"), (1, 0, "return")]
    assert ran.statuses[:4] == [0, 0, 1 << 32, 1 << 32]


def test_vtl1_is_not_bound_by_its_own_mask_and_lifts_it_on_the_next_call(run) -> None:
    """The second VTL call goes on behind the first return."""
    vtl1 = (protect(), fence(READ, PAGE >> 12), put(PAGE, 7), VTL_RETURN, fence(ALL, PAGE >> 12), VTL_RETURN)
    ran = run(guest(*SETUP, VTL_CALL, STORE, VTL_CALL, STORE, vtl1=vtl1))
    assert (ran.denied, ran.page) == ([(0, PAGE)], 0x1234)
    assert [event.rights for event in ran.of(MaskChanged)] == [READ, ALL]


def test_vtl0_cannot_set_masks_nor_read_registers_of_vtl1(run) -> None:
    ran = run(guest(*SETUP, fence(READ, PAGE >> 12), get_register(0x20010, PAGE, vtl=0x11), STORE))
    assert [status for _, status, _ in ran.served[2:]] == ["ACCESS_DENIED"] * 2
    assert (ran.of(MaskChanged), ran.page) == ([], 0x1234)


def test_a_vcpu_that_begins_in_vtl1_protects_and_has_nothing_to_return_to(run) -> None:
    ran = run("", vcpus=[{"asm": guest(protect(), fence(READ, PAGE >> 12), STORE, VTL_RETURN), "vtl": 1}])
    assert [status for _, status, _ in ran.served] == ["SUCCESS", "SUCCESS"]
    assert (ran.page, ran.end, ran.of(VtlSwitched)) == (0x1234, "dead", [])


def test_vtl1_may_move_vtl0_before_it_returns(run) -> None:
    """It skips VTL0's store by SetVpRegisters of RIP: the page keeps its content, and no access is denied."""
    skip = put(0x204000, (1 << 64) - 1, 0x10 << 32 | 0xFFFF_FFFE, 0x20010, 0)
    target = "mov rax, behind\nmov rbx, 0x204020\nmov [rbx], rax\nxor rax, rax\nmov [rbx + 8], rax"
    vtl0 = (VTL_CALL, STORE, "behind:")
    ran = run(guest(*SETUP, *vtl0, vtl1=(skip, target, call(0x1_0000_0051), VTL_RETURN)))
    assert (ran.served[-1], ran.page, ran.end) == (("SetVpRegisters", "SUCCESS", 1), 0, "halted")


def test_many_pages_are_fenced_in_stretches(run) -> None:
    """100 pages, 64 at once: the guest makes the call twice and sees one."""
    pages = range(0x280, 0x280 + 100)
    ran = run(guest(*SETUP, VTL_CALL, vtl1=(protect(), fence(READ, *pages), VTL_RETURN)))
    stretches = [(event.reps, event.finished) for event in ran.of(HypercallServed)[3:]]
    assert stretches == [(64, False), (100, True)]
    tried = [[int.from_bytes(gfn, "little") for gfn in event.elements] for event in ran.of(HypercallServed)[3:]]
    assert tried == [[*pages[:64]], [*pages[64:]]]
    assert [(event.first, event.pages) for event in ran.of(MaskChanged)] == [(0x280, 64), (0x2C0, 36)]
    assert ran.statuses[3] == 100 << 32


def test_status_registers_follow_a_switch(run) -> None:
    """VsmVpStatus, read in VTL0 before, in VTL1, and VsmCodePageOffsets."""
    out = [STATUSES + 0x800 + 16 * n for n in range(3)]
    vtl1 = (get_register(0xD0003, out[1]), VTL_RETURN)
    ran = run(guest(get_register(0xD0003, out[0]), *SETUP, VTL_CALL, get_register(0xD0002, out[2]), vtl1=vtl1))
    assert [ran.words(at, 1)[0] for at in out] == [1 << 16, 3 << 16 | 1, 0x20 << 12 | 0x10]


def test_shared_registers_go_along_and_private_ones_stay(run) -> None:
    """RBX is VTL1's to change, RSP is each VTL's own."""
    vtl0 = (put(PAGE, 0), "mov rbx, 5", "mov r12, rsp", VTL_CALL, "mov rcx, 0x210000", "mov [rcx], rbx", "sub r12, rsp")
    store = "mov [rcx + 8], r12"
    ran = run(guest(*SETUP, *vtl0, store, vtl1=("add rbx, 2", VTL_RETURN)))
    assert ran.words(PAGE, 2) == [7, 0]


def test_a_slow_return_restores_rax_and_rcx_from_the_assist_page(run) -> None:
    assist = 0x208000
    register = put(0x204000, (1 << 64) - 1, 0xFFFF_FFFE, 0x90013, 0, assist | 1, 0) + call(0x1_0000_0051)
    values = put(assist + 16, 0xAAAA, 0xBBBB)
    after = ("mov rbx, 0x210000", "mov [rbx], rax", "mov [rbx + 8], rcx")
    ran = run(guest(*SETUP, VTL_CALL, VTL_CALL, *after, vtl1=(register, VTL_RETURN, values, switch(0x20, 0))))
    assert ran.words(PAGE, 2) == [0xAAAA, 0xBBBB]
    assert ran.words(assist + 8, 1)[0] & 0xFFFF_FFFF == 1


@pytest.mark.parametrize("code", [VTL_CALL, VTL_RETURN, "mov rcx, 1\nmov rax, 0x7010\ncall rax"])
def test_a_switch_that_is_undefined_is_an_exception(run, code) -> None:
    """Without an IDT, #UD becomes a triple fault; TLFS gives no status for it."""
    ran = run(guest(code))
    assert (ran.end, ran.of(VtlSwitched)) == ("dead", [])


@pytest.mark.parametrize(
    ("code", "call_name", "status"),
    [
        (call(0x7777), "0x7777", "INVALID_HYPERCALL_CODE"),
        (call(0x0D | 1 << 60), "EnablePartitionVtl", "INVALID_HYPERCALL_INPUT"),
        (call(0x0D, 0x204004), "EnablePartitionVtl", "INVALID_ALIGNMENT"),
        (ENABLE_PARTITION_VTL + "\n" + enable_vp_vtl(cr4=0), "EnableVpVtl", "INVALID_REGISTER_VALUE"),
    ],
)
def test_a_call_that_is_refused(run, code, call_name, status) -> None:
    assert run(guest(code)).served[-1][:2] == (call_name, status)


@pytest.mark.parametrize("gfn", [0x07, 0x11, 0x3FF], ids=["hypercall page", "code", "no slot"])
def test_pages_that_cannot_be_fenced(run, gfn) -> None:
    """The system area, and what no slot covers. The page before it in the list is done."""
    slots = [{"slot": 0, "base": 0, "size": "2MiB"}, {"slot": 1, "base": 0x200000, "size": 0x1FF000}]
    ran = run(guest(*SETUP, VTL_CALL, vtl1=(protect(), fence(READ, 0x280, gfn), VTL_RETURN)), slots=slots)
    assert ran.served[-1] == ("ModifyVtlProtectionMask", "INVALID_PARAMETER", 1)
    assert len(ran.of(HypercallServed)[-1].elements) == 2
    assert [(event.first, event.pages) for event in ran.of(MaskChanged)] == [(0x280, 1)]


def test_vtl1_reads_its_own_registers_and_those_of_vtl0(run) -> None:
    """RSP in either VTL: the end of the vCPU's stack page, less the return addresses, and VTL1's own."""
    out = [STATUSES + 0x800 + 16 * n for n in range(3)]
    reads = (get_register(0x20004, out[0], vtl=0x10), get_register(0x20004, out[1], vtl=0x11))
    ran = run(guest(*SETUP, VTL_CALL, vtl1=(*reads, get_register(0x90001, out[2], vtl=0x11), VTL_RETURN)))
    assert [ran.words(at, 1)[0] for at in out] == [0x9000 - 8, VTL1_STACK - 8, 0x7001]


def test_vtl1_changes_its_own_rip(run) -> None:
    """By SetVpRegisters of its own: it goes on there, and not behind the call."""
    own = put(0x204000, (1 << 64) - 1, 0x11 << 32 | 0xFFFF_FFFE, 0x20010, 0)
    target = "mov rax, there\nmov rbx, 0x204020\nmov [rbx], rax\nxor rax, rax\nmov [rbx + 8], rax"
    ran = run(guest(*SETUP, VTL_CALL, vtl1=(own, target, call(0x1_0000_0051), STORE, "hlt", "there:", VTL_RETURN)))
    assert (ran.page, len(ran.of(VtlSwitched))) == (0, 2)


def test_output_on_a_page_that_vtl0_may_not_write_stops_the_vcpu(run) -> None:
    vtl1 = (protect(), fence(READ, PAGE >> 12), VTL_RETURN)
    ran = run(guest(*SETUP, VTL_CALL, get_register(0x20010, PAGE), vtl1=vtl1))
    assert (ran.end, ran.page) == ("fenced", 0)


def test_parameters_in_no_slot_stop_the_vcpu(run) -> None:
    ran = run(guest(call(0x0D, 0x900000)), slots=[{"slot": 0, "base": 0, "size": "4MiB"}])
    assert ran.end == "fenced"


def test_the_profile_is_the_scenarios(run) -> None:
    """openvmm: without a target, or with VTL1 as the one that imposes."""
    vtl1 = (protect(), put(0x204000, (1 << 64) - 1, READ | 0x11 << 32, PAGE >> 12) + call(1 << 32 | 0x0C), VTL_RETURN)
    statuses = {
        profile: run(guest(*SETUP, VTL_CALL, vtl1=vtl1), vsm_profile=profile).served[-1][1]
        for profile in ("tlfs", "openvmm")
    }
    assert statuses == {"tlfs": "ACCESS_DENIED", "openvmm": "SUCCESS"}


def test_a_mask_that_this_host_does_not_enforce_is_a_status(run, host) -> None:
    """R and X without W, where only data can be fenced."""
    ran = run(guest(*SETUP, VTL_CALL, vtl1=(protect(), fence(0xD, PAGE >> 12), VTL_RETURN)))
    told = ran.of(HypercallServed)[-1]
    enforced = host.hypervisor.capabilities.enforces(Rights(0xD))
    assert (told.status, bool(told.why)) == (("SUCCESS", False) if enforced else ("OPERATION_FAILED", True))


def test_an_outcome_counts_calls_and_switches(host, scenario) -> None:
    asm = guest(*SETUP, VTL_CALL, STORE, vtl1=(protect(), fence(READ, PAGE >> 12), VTL_RETURN))
    outcome = run_to_end(scenario(vcpus=[{"asm": asm}], on_protection="drop"), host)
    assert [(called.code, called.status, called.reps) for called in outcome.hypercalls][-1] == (
        "ModifyVtlProtectionMask",
        "SUCCESS",
        1,
    )
    assert (outcome.vtl_switches, len(outcome.protection)) == (2, 1)

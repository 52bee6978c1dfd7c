"""A denied access becomes an intercept for VTL1's own code, the same on every hypervisor."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.abi.tlfs.messages import ExecutionState
from engine.machine.program import check_scenario
from engine.model.events import InterceptDelivered, MaskChanged, VcpuChanged, VtlSwitched
from engine.model.system_registers import Segment
from engine.session.host import Host
from engine.session.outcome import run_to_end
from engine.vsm.intercept import Intercept, decode_message, decode_payload
from engine.vsm.layout import of_bits
from tests.engine.machine.vsm_guest import (
    ASSIST,
    MESSAGES,
    PAGE,
    SETUP,
    STATUSES,
    STORE,
    VTL_CALL,
    VTL_RETURN,
    WITH_PAGES,
    call,
    fence,
    guest,
    protect,
    put,
    set_register,
)
from tests.engine.machine.vsm_run import Ran

READ, NONE, ALL = 0x1, 0x0, 0xF


EMPTY = put(MESSAGES, 0)
KEEP = "mov r8, 0x208010\nmov [r8], rax\nmov [r8 + 8], rcx"
"""RAX and RCX to where a slow return takes them from."""
SLOW_RETURN = "mov rcx, 0\nmov rax, 0x7020\ncall rax"
READER = f"mov rbx, {PAGE:#x}\nmov rdx, [rbx]\nmov r8, {STATUSES + 0x800:#x}\nmov [r8], rdx"


@pytest.fixture
def run(host: Host, scenario: Callable[..., Any]) -> Callable[..., Ran]:
    def ran(*vtl0: str, vtl1: tuple[str, ...], **fields: object) -> Ran:
        return Ran(host, scenario, guest(*SETUP, VTL_CALL, *vtl0, vtl1=vtl1), on_protection="intercept", **fields)

    return ran


def fenced(*after: str, rights: int = READ, before: tuple[str, ...] = WITH_PAGES) -> tuple[str, ...]:
    return (*before, protect(), fence(rights, PAGE >> 12), VTL_RETURN, *after)


def told(event: InterceptDelivered) -> Intercept:
    message = decode_message(event.message)
    assert message is not None
    found = decode_payload(message.payload)
    assert found is not None
    return found


def why(ran: Ran) -> str:
    return ran.of(VcpuChanged)[-1].why


def test_vtl1_relaxes_the_mask_and_the_store_is_done_once(run) -> None:
    vtl0 = (put(PAGE, 5), f"mov rbx, {PAGE:#x}", "inc qword ptr [rbx]")
    open_first = (*WITH_PAGES, protect(), VTL_RETURN, fence(READ, PAGE >> 12), VTL_RETURN)
    ran = run(
        *vtl0[:1], VTL_CALL, *vtl0[1:], vtl1=(*open_first, "push rbx", fence(ALL, PAGE >> 12), "pop rbx", VTL_RETURN)
    )
    assert (ran.page, ran.end, ran.denied) == (6, "halted", [(0, PAGE)])
    assert [event.rights for event in ran.of(MaskChanged)] == [READ, ALL]
    assert [event.reason for event in ran.of(VtlSwitched)][-2:] == ["intercept", "return"]


@pytest.mark.parametrize(("code", "access", "rights"), [(STORE, 1, READ), (READER, 0, NONE)], ids=["store", "load"])
def test_the_message_tells_the_access(run, code, access, rights) -> None:
    ran = run(code, vtl1=fenced("hlt", rights=rights))
    (event,) = ran.of(InterceptDelivered)
    found = told(event)
    assert (found.vp, found.access, found.gpa, found.rip) == (0, access, PAGE, event.rip)
    assert (found.instruction_length, found.byte_count, found.cs.selector) == (3, 3, 8)
    assert found.registers is not None
    assert found.registers.general[3] == PAGE
    assert bytes(ran.memory[MESSAGES - STATUSES :][:256]) == event.message
    assert ran.words(ASSIST + 8, 1)[0] & 0xFFFF_FFFF == 3


def test_the_message_tells_the_segments_and_the_mode(run) -> None:
    """VTL0 has cleared CR0.AM, set CR8 and loaded a null DS before its store."""
    change = "xor eax, eax\nmov ds, ax\nmov eax, 6\nmov cr8, rax\nmov rax, cr0\nbtr rax, 18\nmov cr0, rax"
    (event,) = run(f"{change}\n{STORE}", vtl1=fenced("hlt", rights=READ)).of(InterceptDelivered)
    found = told(event)
    assert found.registers is not None
    assert (found.cs, found.registers.ds) == (Segment(0, 0xFFFF_FFFF, 8, 0xA09B), Segment())
    assert found.registers.ss == Segment(0, 0xFFFF_FFFF, 16, 0xC093)
    state = of_bits(ExecutionState, found.execution_state)
    assert (found.cr8, state.cpl, state.cr0_pe, state.cr0_am, state.efer_lma, state.vtl) == (6, 0, 1, 0, 1, 0)


def test_a_load_is_made_again_and_its_register_is_right(run) -> None:
    """The slow return gives RAX and RCX back; VTL1 has kept RBX."""
    relax = ("push rbx", fence(ALL, PAGE >> 12), put(PAGE, 0x77), "pop rbx", SLOW_RETURN)
    ran = run(READER, vtl1=fenced(KEEP, *relax, rights=NONE))
    assert (ran.words(STATUSES + 0x800, 1), ran.end) == ([0x77], "halted")


PARAMETERS = put(PAGE, (1 << 64) - 1, 0xFFFF_FFFE, 0x20004)
ASK = call(0x1_0000_0050, rdx=PAGE, r8=STATUSES + 0x800)
"""GetVpRegisters of RSP."""


def test_parameters_of_a_hypercall_that_are_fenced_are_told_and_the_call_is_made_again(run) -> None:
    """As a load of VTL0's own, at the OUT of the hypercall page; VTL1 lifts the fence and gives the registers back."""
    relax = ("push rdx", "push r8", KEEP, fence(ALL, PAGE >> 12), "pop r8", "pop rdx", SLOW_RETURN)
    ran = run(ASK, vtl1=fenced(*relax, rights=NONE, before=(PARAMETERS, *WITH_PAGES)))
    (event,) = ran.of(InterceptDelivered)
    found = told(event)
    assert (found.access, found.gpa, event.rip >> 12, found.access_info) == (0, PAGE, 7, 0)
    assert (ran.served[-1], ran.words(STATUSES + 0x800, 1)) == (("GetVpRegisters", "SUCCESS", 1), [0x9000 - 8])
    assert (ran.denied, ran.end) == ([(0, PAGE)], "halted")


def test_output_of_a_hypercall_that_is_fenced_is_told_as_a_store(run) -> None:
    ask = put(0x20F000, (1 << 64) - 1, 0xFFFF_FFFE, 0x20004) + call(0x1_0000_0050, rdx=0x20F000, r8=PAGE)
    (event,) = run(ask, vtl1=fenced("hlt")).of(InterceptDelivered)
    assert (told(event).access, told(event).gpa, event.gva) == (1, PAGE, None)


def test_vtl1_skips_the_store(run) -> None:
    target = "mov rax, behind\nmov rbx, 0x204020\nmov [rbx], rax\nxor rax, rax\nmov [rbx + 8], rax"
    skip = (put(0x204000, (1 << 64) - 1, 0x10 << 32 | 0xFFFF_FFFE, 0x20010, 0), target, call(0x1_0000_0051), VTL_RETURN)
    ran = run(STORE, "behind:", vtl1=fenced(*skip))
    assert (ran.page, ran.end, len(ran.denied)) == (0, "halted", 1)


def test_a_message_is_not_overwritten_and_the_next_comes_at_eom(run) -> None:
    """VTL1 leaves the first where it is. The slot is flagged; emptied, and EOM written, it has the second."""
    second = put(PAGE + 0x1000, 1)
    lift = (fence(ALL, PAGE >> 12), VTL_RETURN)
    keep = f"mov rbx, {MESSAGES:#x}\nmov rax, [rbx]\nmov r8, {STATUSES + 0x800:#x}\nmov [r8], rax"
    vtl1 = (*WITH_PAGES, protect(), fence(READ, PAGE >> 12, (PAGE >> 12) + 1), VTL_RETURN, *lift)
    ran = run(STORE, second, vtl1=(*vtl1, keep, EMPTY, set_register(0xA0014, 0), "hlt"))
    first, other = ran.of(InterceptDelivered)
    assert (first.queued, other.queued) == (False, True)
    assert ran.words(STATUSES + 0x800, 1)[0] == 0x8000_0001 | 0xF0 << 32 | 1 << 40
    assert bytes(ran.memory[MESSAGES - STATUSES :][:256]) == other.message


def test_the_openvmm_profile_sends_no_registers(run) -> None:
    mask = put(0x204000, (1 << 64) - 1, READ | 0x11 << 32, PAGE >> 12) + call(1 << 32 | 0x0C)
    vtl1 = (*WITH_PAGES, protect(), mask, VTL_RETURN, "hlt")
    (event,) = run(STORE, vtl1=vtl1, vsm_profile="openvmm").of(InterceptDelivered)
    assert told(event).registers is None


@pytest.mark.parametrize("before", [(), WITH_PAGES[:2], WITH_PAGES[::2]], ids=["neither", "no SIMP", "no SCONTROL"])
def test_without_a_synic_that_takes_messages_the_vcpu_stops(run, before) -> None:
    ran = run(STORE, vtl1=fenced(before=before))
    assert (ran.end, ran.of(InterceptDelivered), ran.page) == ("fenced", [], 0)
    assert why(ran)


def test_without_vtl1_the_vcpu_stops(host, scenario) -> None:
    masks = [{"vtl": 0, "base": PAGE, "pages": 1, "mask": "R"}]
    ran = Ran(host, scenario, guest(STORE), on_protection="intercept", masks=masks)
    assert (ran.end, ran.of(InterceptDelivered), ran.page) == ("fenced", [], 0)


def test_a_vtl1_that_relaxes_nothing_and_leaves_its_messages_ends_the_vcpu(run) -> None:
    """The slot and the queue are full in the end: nobody goes round for ever."""
    again = f"again: {VTL_RETURN}\njmp again"
    ran = run(STORE, vtl1=fenced(again))
    assert (ran.end, len(ran.of(InterceptDelivered)), len(ran.denied)) == ("fenced", 5, 6)


def test_the_pages_may_be_set_by_msr(run) -> None:
    """WRMSR of VTL1, as SetVpRegisters; RDMSR gives them back."""
    values = {0x4000_0073: ASSIST | 1, 0x4000_0080: 1, 0x4000_0083: MESSAGES | 1}
    write = [f"mov ecx, {msr:#x}\nmov eax, {value:#x}\nxor edx, edx\nwrmsr" for msr, value in values.items()]
    read = f"mov ecx, 0x40000083\nrdmsr\nmov rbx, {STATUSES + 0x800:#x}\nmov [rbx], rax\nmov [rbx + 8], rdx"
    ran = run(STORE, vtl1=fenced("hlt", before=(*write, read)))
    assert ran.words(STATUSES + 0x800, 2) == [MESSAGES | 1, 0]
    assert (len(ran.of(InterceptDelivered)), ran.words(ASSIST + 8, 1)[0] & 0xFFFF_FFFF) == (1, 3)


@pytest.mark.parametrize(
    ("msr", "value"),
    [(0x4000_0083, 1 << 40 | 1), (0x4000_0002, 0), (0x4000_0001, 1 << 40 | 1)],
    ids=["no slot", "read only", "no slot for a hypercall page"],
)
def test_an_msr_write_that_is_refused_is_an_exception(run, msr, value) -> None:
    """#GP(0), without an IDT a triple fault."""
    code = f"mov ecx, {msr:#x}\nmov eax, {value & 0xFFFF_FFFF:#x}\nmov edx, {value >> 32:#x}\nwrmsr"
    assert run(code, vtl1=(VTL_RETURN,)).end == "dead"


def test_an_outcome_has_the_intercepts(host, scenario) -> None:
    asm = guest(*SETUP, VTL_CALL, STORE, vtl1=fenced(fence(ALL, PAGE >> 12), VTL_RETURN))
    outcome = run_to_end(scenario(vcpus=[{"asm": asm}], on_protection="intercept"), host)
    (one,) = outcome.intercepts
    assert (one.vtl, one.from_vtl, one.gpa, one.access, len(one.message)) == (1, 0, hex(PAGE), "write", 512)
    assert (outcome.vtl_switches, outcome.stopped) == (4, "hlt")


LAB = Path("labs/vtl1-answers/scenario.yaml")


def lab(host: Host, change: tuple[str, str] = ("", "")) -> Ran:
    made = check_scenario(LAB.read_text().replace(*change).encode())
    return Ran(host, lambda **_: made, "")


def test_the_monitor_logs_each_access_and_gives_way_at_the_third(host: Host) -> None:
    ran = lab(host)
    assert ran.words(0x213000, 14) == [0x210008, 1, 0x211000, 0] * 3 + [0, 0]
    assert ran.words(0x212008, 4) == [0x5EC7E7, 0x5EC7E7, 0, 0]
    assert (ran.words(0x210008, 1), ran.end) == ([1], "halted")


def test_a_monitor_that_does_not_empty_its_slot_ends_the_vcpu(host: Host) -> None:
    """As the lab says: the second message waits, and so on; the sixth cannot be told."""
    ran = lab(host, ("mov dword ptr [rsi], 0", "nop"))
    assert [event.queued for event in ran.of(InterceptDelivered)] == [False, True, True, True, True]
    assert (ran.end, len(ran.denied)) == ("fenced", 6)


def test_a_secret_that_may_be_read_makes_no_intercepts(host: Host) -> None:
    ran = lab(host, (".quad 0x211000, 0x0, 0", ".quad 0x211000, 0x1, 0"))
    assert [event.gpa for event in ran.of(InterceptDelivered)] == [0x210008] * 3
    assert ran.words(0x212008, 4) == [0x5EC7E7] * 4

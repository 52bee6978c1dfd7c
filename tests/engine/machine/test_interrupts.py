"""Interrupts for VTLs: put off, told of, and a reason to enter a higher one; the same on every hypervisor."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.model.events import ExitTaken, InterruptTaken, VtlSwitched
from engine.model.exits import Interrupted
from engine.session.host import Host
from engine.session.outcome import run_to_end
from tests.engine.machine.vsm_guest import (
    ASSIST,
    INPUT,
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
    idt,
    interrupt,
    protect,
    put,
    set_register,
)
from tests.engine.machine.vsm_run import Ran

LOWER, OTHER, HIGHER = 0x40, 0x41, 0x50
"""Vectors of VTL0, and one of VTL1."""
MARKS, NEXT = STATUSES + 0x800, STATUSES + 0xFF8
VTL1_IDT = 0x20B000
VINA, SINT0, EOM = 0xD0005, 0xA0000, 0xA0014
HANDLERS = "".join(
    f"""
        {name}:
        push rax
        push rbx
        mov rbx, {NEXT:#x}
        mov rax, [rbx]
        mov qword ptr [rax], {vector:#x}
        add qword ptr [rbx], 8
        pop rbx
        pop rax
        iretq"""
    for name, vector in (("lower", LOWER), ("other", OTHER), ("higher", HIGHER))
)
"""Each writes its vector to where NEXT points."""


def mark(number: int) -> str:
    return f"mov rbx, {NEXT:#x}\nmov rax, [rbx]\nmov qword ptr [rax], {number}\nadd qword ptr [rbx], 8"


def spin(gpa: int) -> str:
    """Until something is written there. A host may notice late that interrupts are let in (docs/differences.md, 39)."""
    return f"mov rbx, {gpa:#x}\nspin_{gpa:x}: cmp qword ptr [rbx], 0\nje spin_{gpa:x}"


GATES = idt((LOWER, "lower"), (OTHER, "other"))
HIGHER_GATE = idt((HIGHER, "higher"), table=VTL1_IDT)
CLEAR = f"mov rbx, {ASSIST + 12:#x}\nmov byte ptr [rbx], 0"


@pytest.fixture
def run(host: Host, scenario: Callable[..., Any]) -> Callable[..., Ran]:
    """VTL0 with its IDT, which calls VTL1, and goes on with `vtl0`."""

    def ran(*vtl0: str, vtl1: tuple[str, ...], on: str = "sti", **fields: object) -> Ran:
        begin = (*SETUP, put(NEXT, MARKS), GATES, on, VTL_CALL)
        return Ran(host, scenario, guest(*begin, *vtl0, "end: hlt", "jmp end", HANDLERS, vtl1=vtl1), **fields)

    return ran


def marks(ran: Ran, count: int) -> list[int]:
    """What was written, and 0 behind it."""
    return ran.words(MARKS, count + 1)


def taken(ran: Ran) -> list[tuple[int, int]]:
    return [(event.vtl, event.vector) for event in ran.of(InterruptTaken)]


def test_row_14_one_for_vtl0_waits_while_vtl1_is_active(run) -> None:
    ran = run(mark(2), vtl1=(interrupt(LOWER, 0), mark(1), VTL_RETURN))
    assert marks(ran, 3) == [1, LOWER, 2, 0]
    assert (taken(ran), ran.end) == ([(0, LOWER)], "halted")


def test_one_waits_until_vtl0_lets_interrupts_in(run) -> None:
    """There, HLT comes after STI; it wakes for what waits."""
    ran = run(mark(1), "sti", "hlt", mark(2), vtl1=(interrupt(LOWER, 0), VTL_RETURN), on="cli")
    assert (marks(ran, 3), ran.end) == ([1, LOWER, 2, 0], "halted")


def test_the_higher_vector_comes_first_and_two_of_one_are_one(run) -> None:
    send = (interrupt(LOWER, 0), interrupt(OTHER, 0), interrupt(LOWER, 0))
    assert taken(run(vtl1=(*send, VTL_RETURN))) == [(0, OTHER), (0, LOWER)]


def test_an_access_that_is_to_be_made_again_comes_first(run) -> None:
    """VTL0 has interrupts off, and one waits; its load is denied, relaxed and made again. Nothing of that is lost."""
    load = f"mov rbx, {PAGE:#x}\nmov rdx, [rbx]\nmov rbx, {MARKS + 0x80:#x}\nmov [rbx], rdx"
    fenced = (protect(), put(PAGE, 7), fence(0x0, PAGE >> 12), VTL_RETURN)
    ran = run(interrupt(LOWER, 0), load, "sti", spin(MARKS), vtl1=fenced, on="cli", on_protection="relax")
    assert (ran.words(MARKS + 0x80, 1), marks(ran, 1), ran.end) == ([7], [LOWER, 0], "halted")


def test_vtl0_may_interrupt_itself_but_not_vtl1(run) -> None:
    ran = run(interrupt(LOWER, 0), mark(1), interrupt(HIGHER, 1), vtl1=(VTL_RETURN,))
    assert (marks(ran, 2), taken(ran)) == ([LOWER, 1, 0], [(0, LOWER)])
    assert [status for name, status, _ in ran.served if name == "SendSyntheticClusterIpi"] == [
        "SUCCESS",
        "ACCESS_DENIED",
    ]


def test_one_for_vtl1_calls_it_back_until_it_lets_it_in(run) -> None:
    """RFLAGS.IF of VTL1 is 0: the entry comes all the same, at once after the return (RFLAGS.IF)."""
    send = (*WITH_PAGES[:1], HIGHER_GATE, interrupt(HIGHER, 1), VTL_RETURN)
    reason = f"mov rbx, {ASSIST + 8:#x}\nmov eax, [rbx]\nmov rbx, {MARKS + 0x100:#x}\nmov [rbx], rax"
    ran = run(mark(3), vtl1=(*send, mark(1), reason, "sti", spin(MARKS + 8), mark(2), "cli", VTL_RETURN))
    assert marks(ran, 4) == [1, HIGHER, 2, 3, 0]
    assert [event.reason for event in ran.of(VtlSwitched)] == ["call", "return", "interrupt", "return"]
    assert [type(event.exit) for event in ran.of(ExitTaken)].count(Interrupted) == 1
    assert ran.words(MARKS + 0x100, 1) == [2]


def test_a_task_priority_of_vtl1_keeps_it_out_until_it_is_lowered(run) -> None:
    """CR8 is 5, and the vector of class 5: VTL0 goes on. On its next call VTL1 lowers CR8, and takes it."""
    raised = ("mov rax, 5", "mov cr8, rax", HIGHER_GATE, "sti", interrupt(HIGHER, 1), mark(1), VTL_RETURN)
    ran = run(
        mark(2),
        VTL_CALL,
        mark(5),
        vtl1=(*raised, mark(3), "xor eax, eax", "mov cr8, rax", interrupt(LOWER, 0), mark(4), VTL_RETURN),
    )
    assert marks(ran, 7) == [1, 2, 3, HIGHER, 4, LOWER, 5, 0]


def test_vina_tells_vtl1_once_what_it_keeps_from_vtl0(run) -> None:
    """The first of two for VTL0; a third, after VTL1 has cleared the status. VTL0 gets both that are left of them."""
    enable = (*WITH_PAGES[:1], HIGHER_GATE, set_register(VINA, HIGHER | 1 << 8), "sti")
    told = (interrupt(LOWER, 0), mark(1), interrupt(OTHER, 0), mark(2), CLEAR, interrupt(OTHER, 0), mark(3))
    ran = run(vtl1=(*enable, *told, VTL_RETURN))
    assert marks(ran, 7) == [HIGHER, 1, 2, HIGHER, 3, OTHER, LOWER, 0]
    assert ran.words(ASSIST + 8, 1)[0] >> 32 & 1 == 1


@pytest.mark.parametrize("last", ["VINA", "page"])
def test_vina_tells_of_what_was_kept_back_before_it_was_asked_to(run, last) -> None:
    """Whether the assist page is there first, or VINA is on first."""
    on = set_register(VINA, HIGHER | 1 << 8)
    first, second = (WITH_PAGES[0], on) if last == "VINA" else (on, WITH_PAGES[0])
    ran = run(vtl1=(HIGHER_GATE, first, "sti", interrupt(LOWER, 0), mark(1), second, mark(2), VTL_RETURN))
    assert marks(ran, 4) == [1, HIGHER, 2, LOWER, 0]


@pytest.mark.parametrize(("vtl0", "vina"), [("cli", HIGHER | 1 << 8), ("sti", HIGHER)], ids=["VTL0 off", "VINA off"])
def test_vina_tells_nothing_where_nothing_is_kept_back_or_nobody_asks(run, vtl0, vina) -> None:
    enable = (*WITH_PAGES[:1], HIGHER_GATE, set_register(VINA, vina), "sti")
    ran = run(vtl1=(*enable, interrupt(LOWER, 0), mark(1), VTL_RETURN), on=vtl0)
    assert (marks(ran, 1)[0], HIGHER in [vector for _, vector in taken(ran)]) == (1, False)


def test_vina_is_reset_by_the_next_entry_where_it_is_to_be(run) -> None:
    enable = (*WITH_PAGES[:1], HIGHER_GATE, set_register(VINA, HIGHER | 1 << 8 | 1 << 9), "sti")
    again = (interrupt(LOWER, 0), VTL_RETURN, interrupt(LOWER, 0), VTL_RETURN)
    assert taken(run(VTL_CALL, vtl1=(*enable, *again))) == [(1, HIGHER), (0, LOWER)] * 2


@pytest.mark.parametrize("sint", [HIGHER, HIGHER | 1 << 16, HIGHER | 1 << 18], ids=["open", "masked", "polling"])
def test_a_message_is_an_interrupt_where_its_source_is_open(run, sint) -> None:
    prepare = (*WITH_PAGES, set_register(SINT0, sint), HIGHER_GATE, protect(), fence(0x1, PAGE >> 12), "sti")
    ran = run(STORE, vtl1=(*prepare, VTL_RETURN, mark(1), "hlt"), on_protection="intercept")
    assert marks(ran, 2) == ([HIGHER, 1, 0] if sint == HIGHER else [1, 0, 0])


def test_a_message_that_waits_is_an_interrupt_when_it_comes(run) -> None:
    """At EOM, with the slot emptied."""
    prepare = (*WITH_PAGES, set_register(SINT0, HIGHER), HIGHER_GATE, protect(), fence(0x1, PAGE >> 12), "sti")
    lift = (VTL_RETURN, put(0x209000, 0), set_register(EOM, 0), mark(1), "hlt")
    again = f"mov rbx, {PAGE:#x}"
    ran = run(STORE, vtl1=(*prepare, VTL_RETURN, again, *lift), on_protection="intercept")
    assert marks(ran, 3) == [HIGHER, HIGHER, 1, 0]


GO, DONE = STATUSES + 0xF00, STATUSES + 0xF08


def test_row_14_an_interrupt_of_another_processor_preempts_vtl0(host, scenario) -> None:
    """VTL1 of processor 1 sends it while processor 0 goes round in VTL0; its handler in VTL1 ends that."""
    to_other = f"mov rax, sender\nmov rbx, {INPUT + 16:#x}\nmov [rbx], rax"
    enable_other = (put(INPUT, 2**64 - 1, 1 << 32 | 1), to_other, put(INPUT + 24, 0x20D000), call(0x0F))
    first = guest(
        *(*SETUP, put(NEXT, MARKS), VTL_CALL, put(GO, 1), spin(DONE), "hlt"),
        *("sender:", "mov r15, 0x20C000", interrupt(HIGHER, 1), VTL_RETURN, HANDLERS),
        vtl1=(*enable_other, HIGHER_GATE, VTL_RETURN, "sti", spin(MARKS), put(DONE, 1), VTL_RETURN),
    )
    second = "\n".join([spin(GO), VTL_CALL, "hlt"])
    made = scenario(vcpus=[{"asm": first}, {"asm": second}], limits={"seconds": 20})
    outcome = run_to_end(made, host)
    assert (outcome.stopped, outcome.vtl_switches) == ("hlt", 6)
    assert [one.status for one in outcome.hypercalls if one.code == "SendSyntheticClusterIpi"] == ["SUCCESS"]

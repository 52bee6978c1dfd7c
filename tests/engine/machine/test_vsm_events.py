"""VTL1 answers a denied access with an exception, which VTL0 takes through its own IDT: on every hypervisor."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.abi.tlfs.processor import PendingExceptionEvent
from engine.model.events import HypercallServed
from engine.session.host import Host
from engine.vsm.layout import bits
from tests.engine.machine.vsm_guest import (
    PAGE,
    SETUP,
    STATUSES,
    STORE,
    VTL_CALL,
    VTL_RETURN,
    WITH_PAGES,
    fence,
    get_register,
    guest,
    idt,
    protect,
    set_register,
)
from tests.engine.machine.vsm_run import Ran

PENDING_EVENT0 = 0x10004
MARKS = STATUSES + 0x800
GENERAL_PROTECTION = bits(PendingExceptionEvent, event_pending=1, deliver_error_code=1, vector=13, error_code=0x18)
PAGE_FAULT = bits(
    PendingExceptionEvent, event_pending=1, deliver_error_code=1, vector=14, error_code=3, exception_parameter=PAGE
)
INVALID_OPCODE = bits(PendingExceptionEvent, event_pending=1, vector=6)
HANDLERS = """
general:
    mov rdx, 13
    jmp taken
page:
    mov rdx, 14
taken:
    pop rcx
    mov rbx, 0x200800
    mov [rbx], rdx
    mov [rbx + 8], rcx
    mov rax, [rsp]
    mov [rbx + 16], rax
    mov rax, cr2
    mov [rbx + 24], rax
    mov rax, behind
    mov [rsp], rax
    iretq"""
"""Vector, error code, RIP of the instruction and CR2 to MARKS; VTL0 goes on behind its store."""
GATES = idt((13, "general"), (14, "page"))


@pytest.fixture
def run(host: Host, scenario: Callable[..., Any]) -> Callable[..., Ran]:
    def ran(event: int, *after: str, vtl: int = 0x10) -> Ran:
        vtl1 = (*WITH_PAGES, protect(), fence(0x1, PAGE >> 12), VTL_RETURN, set_register(PENDING_EVENT0, event, vtl))
        vtl0 = (*SETUP, GATES, VTL_CALL, STORE, "behind:", "hlt", HANDLERS)
        return Ran(host, scenario, guest(*vtl0, vtl1=(*vtl1, *after, VTL_RETURN)), on_protection="intercept")

    return ran


@pytest.mark.parametrize(
    ("event", "marks"), [(GENERAL_PROTECTION, [13, 0x18]), (PAGE_FAULT, [14, 3])], ids=["#GP", "#PF"]
)
def test_vtl0_takes_it_at_the_instruction_that_was_denied(run, event, marks) -> None:
    ran = run(event)
    assert ran.words(MARKS, 3) == [*marks, ran.denied_at]
    assert (ran.page, ran.end, ran.denied) == (0, "halted", [(0, PAGE)])


def test_the_address_of_a_page_fault_is_in_cr2(run) -> None:
    assert run(PAGE_FAULT).words(MARKS + 24, 1) == [PAGE]


def test_it_can_be_taken_back(run) -> None:
    """VTL1 thinks better of it: the store is denied once more."""
    ran = run(GENERAL_PROTECTION, set_register(PENDING_EVENT0, 0, 0x10), f"mov rbx, {PAGE:#x}", VTL_RETURN, "hlt")
    assert (ran.words(MARKS, 1), len(ran.denied)) == ([0], 2)


def test_what_waits_can_be_read(run) -> None:
    ran = run(PAGE_FAULT, get_register(PENDING_EVENT0, MARKS + 0x40, vtl=0x10))
    assert ran.words(MARKS + 0x40, 2) == [PAGE_FAULT & 2**64 - 1, PAGE]


def test_without_an_idt_it_is_a_triple_fault(host, scenario) -> None:
    vtl1 = (set_register(PENDING_EVENT0, INVALID_OPCODE, 0x10), VTL_RETURN)
    ran = Ran(host, scenario, guest(*SETUP, VTL_CALL, "hlt", vtl1=vtl1))
    assert (ran.end, [status for _, status, _ in ran.served]) == ("dead", ["SUCCESS"] * 3)


def test_vtl1_may_fault_itself(run) -> None:
    """It has no IDT: a triple fault."""
    assert run(GENERAL_PROTECTION, vtl=0x11).end == "dead"


@pytest.mark.parametrize(
    "event",
    [
        bits(PendingExceptionEvent, event_pending=1, vector=13),
        bits(PendingExceptionEvent, event_pending=1, vector=6, deliver_error_code=1),
    ],
    ids=["#GP without an error code", "#UD with one"],
)
def test_an_error_code_that_does_not_go_with_the_vector_is_refused(run, event) -> None:
    told = run(event, "hlt").of(HypercallServed)[-1]
    assert (told.status, bool(told.why)) == ("INVALID_REGISTER_VALUE", True)

"""Whatever two VTLs ask of SynIC, VINA, PendingEvent0 and each other, every hypervisor gives the same; none fails."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.hypervisor.contract.errors import HypervisorMissing
from engine.model.events import InterceptDelivered, InterruptTaken, VtlSwitched
from engine.session.host import Host, host_for
from tests.engine.machine.vsm_guest import (
    ASSIST,
    MESSAGES,
    PAGE,
    SETUP,
    STORE,
    VTL_CALL,
    VTL_RETURN,
    WITH_PAGES,
    fence,
    guest,
    idt,
    interrupt,
    protect,
    set_register,
)
from tests.engine.machine.vsm_run import Ran

VTL1_IDT = 0x20B000
VECTORS = (0x40, 0x41, 0x50)
RETURNS = "returns: iretq\nends: add rsp, 8\nmov rax, end\nmov [rsp], rax\niretq"
"""Handlers: of interrupts, and of #GP, after which VTL0 is done."""
GATES = [(vector, "returns") for vector in VECTORS]
WORD = st.one_of(st.sampled_from([0, 1, 0x50, 0x150, 0x350, 1 << 63, 2**64 - 1]), st.integers(0, 2**64 - 1))
REGISTERS = [0x10004, 0xA0000, 0xA0010, 0xA0012, 0xA0014, 0xD0005]
PAGES = [0x90013, 0xA0013]
PAGE_VALUE = st.builds(lambda word, page: word & 0xFFF | page, WORD, st.sampled_from([ASSIST, PAGE, 0x3FF000, 1 << 40]))
"""Not the first: in it are descriptors (row 41 of docs/differences.md)."""
VTLS = st.sampled_from([0x10, 0x11])
GP = 1 | 1 << 8 | 13 << 16
TAKEN = {0xA0010: 1, 0x90013: ASSIST | 1, 0xA0013: MESSAGES | 1, 0xD0005: 0x150, 0xA0000: 0x50}
setting = st.one_of(
    st.sampled_from(sorted(TAKEN)).map(lambda name: set_register(name, TAKEN[name])),
    st.builds(set_register, st.sampled_from(REGISTERS), WORD, VTLS),
    st.builds(set_register, st.sampled_from(PAGES), PAGE_VALUE, VTLS),
)
asking = st.tuples(st.sampled_from([*VECTORS, 0, 15, 256]), st.integers(0, 2), st.integers(0, 3)).map(
    lambda one: interrupt(*one)
)
"""Not those without a gate: rows 33 and 34 of docs/differences.md."""
of_vtl1 = st.one_of(
    setting,
    asking,
    st.sampled_from([VTL_RETURN, fence(0x1, PAGE >> 12), fence(0xF, PAGE >> 12), set_register(0x10004, GP, 0x10)]),
    st.just(f"mov rbx, {MESSAGES:#x}\nmov dword ptr [rbx], 0"),
)
of_vtl0 = st.one_of(st.sampled_from([STORE, VTL_CALL, STORE]), setting, asking)


def program(vtl0: list[str], vtl1: list[str]) -> str:
    first = (*SETUP, idt(*GATES, (13, "ends")), "sti", VTL_CALL, *vtl0, "end: hlt", "jmp end", RETURNS)
    ready = (idt(*GATES, table=VTL1_IDT), "sti", protect(), *WITH_PAGES, fence(0x1, PAGE >> 12))
    return guest(*first, vtl1=(*ready, *vtl1, "over:", VTL_RETURN, "jmp over"))


@pytest.fixture
def kvm(scenario: Callable[..., Any]) -> Host:
    try:
        return host_for(scenario(vcpus=[{"guest": "spin"}]), "kvm")
    except HypervisorMissing as missing:
        pytest.skip(f"NO KVM ON THIS HOST: {missing.reason}")


def seen(ran: Ran) -> dict[str, Any]:
    """Without the moments at which interrupts are taken: a host may notice late that they are let in."""
    return {
        "served": ran.served,
        "denied": ran.denied,
        "messages": [event.message for event in ran.of(InterceptDelivered)],
        "switches": [(event.to_vtl, event.reason) for event in ran.of(VtlSwitched)],
        "interrupts": Counter((event.vtl, event.vector) for event in ran.of(InterruptTaken)),
        "end": ran.end,
    }


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(vtl0=st.lists(of_vtl0, max_size=6), vtl1=st.lists(of_vtl1, max_size=10))
def test_both_hypervisors_do_the_same(
    scenario: Callable[..., Any], kvm: Host, sim: Host, vtl0: list[str], vtl1: list[str]
) -> None:
    asked = {"on_protection": "intercept"}
    on_sim, on_kvm = (seen(Ran(host, scenario, program(vtl0, vtl1), **asked)) for host in (sim, kvm))
    assert on_sim == on_kvm
    assert on_sim["end"] in ("halted", "fenced", "dead")

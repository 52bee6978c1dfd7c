"""Several processors: one starts another, each has VTLs of its own, and one waits for another's TLB lock."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.model.events import HypercallServed, VtlSwitched
from engine.model.layout import code_base, stack_top
from engine.session.host import Host
from tests.engine.machine.vsm_guest import (
    ENABLE_PARTITION_VTL,
    PAGE,
    SETUP,
    STATUSES,
    VTL_CALL,
    VTL_RETURN,
    enable_vp_vtl,
    fence,
    get_register,
    guest,
    idt,
    interrupt,
    of_another,
    protect,
    set_register,
    with_context,
)
from tests.engine.machine.vsm_run import RanTogether

READ, SECURE_CONFIG, VP_STATUS, VP_INDEX = 0x1, 0xD0010, 0xD0003, 0x90003
START, ENABLE_VP_VTL, VECTOR = 0x99, 0x0F, 0x50
SECOND_STATUSES, SECOND_STACK = 0x220000, 0x226000
STARTED = with_context(START, hex(code_base(1)), vp=1, vtl=0, rsp=stack_top(1))
ENTRY, ENABLED, LOCKED, CHANGED, RETURNED, WRONG = range(0x230000, 0x230030, 8)
"""Words that two processors share."""


@pytest.fixture
def run(host: Host, scenario: Callable[..., Any]) -> Callable[..., RanTogether]:
    def ran(*vcpus: dict[str, Any], **fields: object) -> RanTogether:
        return RanTogether(host, scenario, "", vcpus=list(vcpus), **fields)

    return ran


def until(address: int, condition: str, label: str) -> str:
    """Spins while the comparison of RAX, which is the word there, does not hold."""
    return f"mov rbx, {address:#x}\n{label}:\npause\nmov rax, [rbx]\n{condition} {label}"


def step(address: int) -> str:
    return f"mov rbx, {address:#x}\ninc qword ptr [rbx]"


def test_a_processor_that_waits_is_started_by_another(run) -> None:
    """Where and with what the context says; it cannot be started twice."""
    second = f"mov rbx, {PAGE:#x}\nmov [rbx], rsp\nhlt"
    ran = run({"asm": guest(STARTED, STARTED)}, {"asm": second, "waits": True})
    assert [(call, status) for call, status, _ in ran.served] == [
        ("StartVirtualProcessor", "SUCCESS"),
        ("StartVirtualProcessor", "INVALID_VP_STATE"),
    ]
    assert (ran.page, ran.states(1)) == (stack_top(1), ["waiting", "running", "halted"])


def test_a_processor_that_nobody_starts_does_not_run(run) -> None:
    ran = run({"asm": "hlt"}, {"guest": "touch", "waits": True})
    assert (ran.states(1), [event.exit.vcpu for event in ran.exits]) == (["waiting"], [0])


def test_a_vtl_above_may_keep_vtl0_from_starting_processors(run) -> None:
    """VsmPartitionConfig.DenyLowerVtlStartup."""
    vtl1 = (set_register(0xD0007, 0x7F), VTL_RETURN)
    ran = run({"asm": guest(*SETUP, VTL_CALL, STARTED, vtl1=vtl1)}, {"asm": "hlt", "waits": True})
    assert (ran.served[-1][:2], ran.states(1)) == (("StartVirtualProcessor", "ACCESS_DENIED"), ["waiting"])


def test_a_processor_is_started_in_vtl1_and_returns_to_its_own_program(run) -> None:
    """By VTL1 of another, which has enabled it there. What it says is where it was, VTL1 first."""
    said = "\n".join([f"mov rbx, {PAGE:#x}", "mov [rbx + rsi * 8], rsp", "inc rsi"])
    second = "\n".join(["jmp vtl0", "vtl1:", said, VTL_RETURN, "vtl0:", said, "hlt"])
    rip = hex(code_base(1) + 2)
    enable = with_context(ENABLE_VP_VTL, rip, vp=1, rsp=SECOND_STACK)
    start = with_context(START, rip, vp=1, rsp=SECOND_STACK)
    ran = run({"asm": guest(*SETUP, VTL_CALL, vtl1=(enable, start, VTL_RETURN))}, {"asm": second, "waits": True})
    assert [status for _, status, _ in ran.served] == ["SUCCESS"] * 4
    assert (ran.words(PAGE, 2), ran.states(1)[-1]) == ([SECOND_STACK, stack_top(1)], "halted")


def test_each_processor_has_vtls_of_its_own(run) -> None:
    """Row 11: once one has VTL1, no other can enable it from VTL0, its own VTL0 included; VTL1 can, for any."""
    told = f"mov rbx, {ENTRY:#x}\nmov rax, vtl1\nmov [rbx], rax"
    tries = (until(ENABLED, "cmp rax, 1\njne", "enabled"), of_another(enable_vp_vtl()))
    entry = f"mov rbx, {ENTRY:#x}\nmov rcx, [rbx]"
    enable = with_context(ENABLE_VP_VTL, "rcx", vp=1, rsp=SECOND_STACK)
    vtl1 = (until(ENTRY, "cmp rax, 0\nje", "told"), entry, enable, VTL_RETURN)
    first = guest(*SETUP, get_register(VP_STATUS, STATUSES + 0x800), VTL_CALL, step(ENABLED), vtl1=vtl1)
    indices = (get_register(VP_INDEX, STATUSES + 0x810), get_register(VP_STATUS, STATUSES + 0x820))
    after = (VTL_CALL, get_register(VP_STATUS, STATUSES + 0x800))
    second = of_another(guest(told, *tries, *after, vtl1=(*indices, VTL_RETURN)))
    ran = run({"asm": first}, {"asm": second})
    by_vcpu = [[event.status for event in ran.of(HypercallServed) if event.vcpu == vcpu] for vcpu in (0, 1)]
    assert by_vcpu == [["SUCCESS"] * 4, ["ACCESS_DENIED", *["SUCCESS"] * 3]]
    at = SECOND_STATUSES + 0x800
    assert [ran.words(STATUSES + 0x800, 1)[0], ran.words(at, 1)[0]] == [3 << 16, 3 << 16]
    assert (ran.words(at + 0x10, 1)[0], ran.words(at + 0x20, 1)[0]) == (1, 3 << 16 | 1)


def test_row_13_a_processor_waits_for_the_tlb_lock_of_another(run) -> None:
    """64 times: VTL1 of the second has VTL0's TLB locked; so VTL0 of the first, from whose VTL1 a mask is
    changed meanwhile, does not go on before the second returns to its VTL0."""
    ran = run({"asm": _changes()}, {"asm": _locks()})
    assert ran.words(LOCKED, 4) == [64, 64, 64, 0]
    assert "waiting" in ran.states(0)
    assert set(ran.states(1)) == {"stopped", "running", "halted"}


def test_an_interrupt_for_vtl1_comes_through_while_vtl0_waits(run) -> None:
    """The second holds the lock until VTL1 of the first has taken its interrupt: VTL0 there is left for it."""
    entry = f"mov rbx, {ENTRY:#x}\nmov rcx, [rbx]"
    enable = with_context(ENABLE_VP_VTL, "rcx", vp=1, rsp=SECOND_STACK)
    setup = (until(ENTRY, "cmp rax, 0\nje", "told"), entry, enable, protect(), idt((VECTOR, "taken")), step(ENABLED))
    change = (until(LOCKED, "cmp rax, 0\nje", "locked"), fence(READ, PAGE >> 12), step(CHANGED), VTL_RETURN)
    handler = ("taken:", "push rax", "push rbx", step(RETURNED), "pop rbx", "pop rax", "iretq")
    taken = ("sti", until(RETURNED, "cmp rax, 0\nje", "let_in"), VTL_RETURN, "hlt", *handler)
    first = guest(ENABLE_PARTITION_VTL, enable_vp_vtl(), VTL_CALL, vtl1=(*setup, *change, *taken))
    told = f"mov rbx, {ENTRY:#x}\nmov rax, vtl1\nmov [rbx], rax"
    lock = (set_register(SECURE_CONFIG, 2), step(LOCKED), until(CHANGED, "cmp rax, 0\nje", "changed"))
    send = (interrupt(VECTOR, 1), until(RETURNED, "cmp rax, 0\nje", "returned"), VTL_RETURN)
    second = of_another(guest(told, until(ENABLED, "cmp rax, 1\njne", "enabled"), VTL_CALL, vtl1=(*lock, *send)))
    ran = run({"asm": first}, {"asm": second})
    assert (ran.words(RETURNED, 1), ran.states(0)[-1], ran.states(1)[-1]) == ([1], "halted", "halted")
    switches = [(event.from_vtl, event.to_vtl) for event in ran.of(VtlSwitched) if event.vcpu == 0]
    assert switches == [(0, 1), (1, 0), (0, 1), (1, 0)]


def _changes() -> str:
    entry = f"mov rbx, {ENTRY:#x}\nmov rcx, [rbx]"
    enable = with_context(ENABLE_VP_VTL, "rcx", vp=1, rsp=SECOND_STACK)
    setup = (until(ENTRY, "cmp rax, 0\nje", "told"), entry, enable, protect(), step(ENABLED), VTL_RETURN)
    change = (until(LOCKED, "cmp rax, r13\njbe", "locked"), fence(READ, PAGE >> 12), "inc r13", step(CHANGED))
    vtl1 = (*setup, "change:", *change, VTL_RETURN, "jmp change")
    again = ("mov r12, 64", "again:", VTL_CALL, step(RETURNED), "dec r12", "jnz again")
    return guest(ENABLE_PARTITION_VTL, enable_vp_vtl(), VTL_CALL, *again, vtl1=vtl1)


def _locks() -> str:
    told = f"mov rbx, {ENTRY:#x}\nmov rax, vtl1\nmov [rbx], rax"
    lock = (set_register(SECURE_CONFIG, 2), step(LOCKED), "inc r13", until(CHANGED, "cmp rax, r13\njne", "changed"))
    linger = (get_register(VP_STATUS, STATUSES + 0x3000), get_register(VP_STATUS, STATUSES + 0x3000))
    check = f"mov rbx, {RETURNED:#x}\nmov rax, [rbx]\ninc rax\ncmp rax, r13\nje right\n{step(WRONG)}\nright:"
    vtl1 = ("lock:", *lock, *linger, check, VTL_RETURN, "jmp lock")
    again = ("mov r12, 64", "again:", VTL_CALL, "dec r12", "jnz again")
    return of_another(guest(told, until(ENABLED, "cmp rax, 1\njne", "enabled"), *again, vtl1=vtl1))

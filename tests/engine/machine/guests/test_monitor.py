"""The kernel in VTL0, alone and under the monitor in VTL1; a stranger in VTL0 under it. On every hypervisor."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.machine.guests.kernel import SECRET
from engine.machine.guests.monitor import CLOSED, OPENED, REFUSED
from engine.model.events import InterceptDelivered
from engine.session.host import Host
from engine.session.outcome import run_to_end
from tests.engine.machine.vsm_guest import SETUP, VTL_CALL, call, put
from tests.engine.machine.vsm_run import Ran

CODE, SECRETS, LEARNT, MONITOR = 0x210000, 0x214000, 0x216000, 0x218000
OWN = tuple(range(MONITOR, MONITOR + 0xC000, 0x1000))
LOG = OWN[4]
READ, WRITE, EXECUTE = 0, 1, 2
STORE = "mov rbx, {:#x}\nmov byte ptr [rbx], 1"
LOAD = "mov rbx, {:#x}\nmov rdx, [rbx]"
Run = Callable[..., Ran]


@pytest.fixture
def run(host: Host, scenario: Callable[..., Any]) -> Run:
    """`program` of VTL0, with the monitor above it."""

    def ran(program: dict[str, Any], vsm_profile: str = "tlfs", **params: int) -> Ran:
        vtl1 = {"base": MONITOR, "guest": "monitor", "params": params}
        vcpus = [program | {"vtl1": vtl1}]
        return Ran(host, scenario, "", vcpus=vcpus, on_protection="intercept", vsm_profile=vsm_profile)

    return ran


def stranger(*code: str) -> dict[str, Any]:
    """VTL0 enables VTL1, which begins where RDI points, and does what it likes after that."""
    start = f"vtl1 = {MONITOR:#x}\nmov r15, 0x200000"
    return {"asm": "\n".join([start, put(SECRETS, SECRET), *SETUP, VTL_CALL, *code, "hlt"])}


def log(ran: Ran) -> list[tuple[int, int]]:
    """(address, what) of each entry."""
    count = ran.words(LOG, 1)[0]
    entries = ran.words(LOG + 16, 2 * min(count, 128))
    return list(zip(entries[::2], entries[1::2], strict=True))


def test_a_kernel_alone_does_as_it_likes(host: Host, scenario: Callable[..., Any]) -> None:
    """The stray store lands, so that its code returns 0x66, and the secret is read."""
    ran = Ran(host, scenario, "", vcpus=[{"guest": "kernel", "params": {"rounds": 3}}])
    assert ran.words(LEARNT, 4) == [3 * 0x66, SECRET, 0, 0]
    assert (ran.end, ran.denied, ran.served) == ("halted", [], [])


def test_a_kernel_under_the_monitor_keeps_its_code_and_learns_no_secret(run: Run) -> None:
    ran = run({"guest": "kernel", "params": {"rounds": 3}})
    assert ran.words(LEARNT, 4) == [0 + 1 + 2, 0, 0, 6]
    assert ran.denied == [(0, CODE + 1), (0, SECRETS)] * 3
    assert {status for _, status, _ in ran.served} == {"SUCCESS"}
    assert ran.end == "halted"


def test_a_second_vcpu_cannot_enable_vtl1_from_vtl0_and_goes_on_alone(host: Host, scenario: Callable[..., Any]) -> None:
    """Once a processor has it, only VTL1 may (HvCallEnableVpVtl, Restrictions)."""
    fenced = {"code": 0x250000, "secret": 0x254000}
    other = {**fenced, "learnt": 0x256000}
    monitor = {"base": 0x260000, "guest": "monitor", "params": fenced}
    vcpus = [
        {"guest": "kernel", "params": {"rounds": 3}, "vtl1": {"base": MONITOR, "guest": "monitor"}},
        {"guest": "kernel", "params": {"rounds": 3, **other}, "vtl1": monitor},
    ]
    made = scenario(vcpus=vcpus, on_protection="intercept", limits={"exits": 1000, "seconds": 10})
    found = run_to_end(made, host)
    denied = [(called.vcpu, called.code) for called in found.hypercalls if called.status == "ACCESS_DENIED"]
    assert (found.stopped, len(denied), denied[0][1]) == ("hlt", 1, "EnableVpVtl")
    assert {one.vcpu for one in found.protection} == {1 - denied[0][0]}


def test_the_monitor_logs_what_it_denied_and_what_it_was_asked(run: Run) -> None:
    asked = [(CODE, OPENED), (CODE, CLOSED), (SECRETS, REFUSED)]
    assert log(run({"guest": "kernel", "params": {"rounds": 2}})) == [(CODE + 1, WRITE), (SECRETS, READ), *asked] * 2


def test_the_log_keeps_the_last_128(run: Run) -> None:
    ran = run({"guest": "kernel", "params": {"rounds": 26}})
    assert ran.words(LOG, 1) == [130]
    assert log(ran)[:4] == [(CODE, CLOSED), (SECRETS, REFUSED), (CODE, OPENED), (CODE, CLOSED)]


@pytest.mark.parametrize("page", [CODE, CODE + 0x3000, SECRETS, SECRETS + 0x1000, *OWN], ids=hex)
def test_each_page_of_its_table_is_fenced(run: Run, page: int) -> None:
    ran = run(stranger(STORE.format(page + 8)))
    assert ran.denied == [(0, page + 8)]
    assert log(ran) == [(page + 8, WRITE)]


@pytest.mark.parametrize("page", [CODE - 0x1000, CODE + 0x4000 + 0x2000, OWN[-1] + 0x1000], ids=hex)
def test_the_pages_around_it_are_not(run: Run, page: int) -> None:
    assert run(stranger(STORE.format(page))).denied == []


def test_every_register_of_vtl0_comes_back_from_an_intercept(run: Run) -> None:
    """A skipped store between two dumps of all general registers."""
    names = ["rax", "rcx", "rdx", "rsi", "rdi", "rbp", *(f"r{n}" for n in range(8, 15))]
    load = [f"mov {name}, {0x1111 * (n + 1):#x}" for n, name in enumerate(names)]
    dump = [f"mov [rbx + {8 * n}], {name}" for n, name in enumerate(names)]
    ran = run(stranger(*load, STORE.format(SECRETS), "mov rbx, 0x201000", *dump))
    assert ran.words(0x201000, len(names)) == [0x1111 * (n + 1) for n in range(len(names))]


def test_a_fetch_from_a_page_without_x_stops_the_vcpu(run: Run) -> None:
    ran = run(stranger(f"mov rax, {SECRETS:#x}\ncall rax"))
    assert log(ran) == [(SECRETS, EXECUTE)]
    assert ran.end == "halted"
    assert [event.vtl for event in ran.of(InterceptDelivered)] == [1]


def test_it_gives_way_and_the_access_is_done(run: Run) -> None:
    """The kernel closes its code again each round; the secret stays open."""
    ran = run({"guest": "kernel", "params": {"rounds": 3}}, answer=1)
    assert ran.words(LEARNT, 4) == [3 * 0x66, SECRET, 0, 6]
    assert ran.denied == [(0, CODE + 1), (0, SECRETS), (0, CODE + 1), (0, CODE + 1)]


def test_it_never_gives_its_own_pages(run: Run) -> None:
    ran = run(stranger(STORE.format(OWN[3]), STORE.format(0x201000)), answer=1)
    assert (ran.end, ran.words(0x201000, 1)) == ("halted", [0])


def test_it_faults_vtl0_which_takes_the_exception_and_goes_on(run: Run) -> None:
    ran = run({"guest": "kernel", "params": {"rounds": 3}}, answer=2)
    assert ran.words(LEARNT, 5) == [0 + 1 + 2, 0, 0, 6, 2 * 3]
    assert (len(ran.denied), ran.end) == (2 * 3, "halted")


def test_a_stranger_who_is_faulted_and_has_no_idt_is_gone(run: Run) -> None:
    assert run(stranger(LOAD.format(SECRETS)), answer=2).end == "dead"


def test_it_stops_at_the_first(run: Run) -> None:
    ran = run({"guest": "kernel", "params": {"rounds": 3}}, answer=3)
    assert (len(ran.denied), ran.end) == (1, "halted")


def test_its_patience_ends(run: Run) -> None:
    ran = run({"guest": "kernel", "params": {"rounds": 100}}, patience=5)
    assert (len(ran.denied), ran.end) == (5, "halted")


def test_under_the_openvmm_profile_it_names_the_vtl_that_binds(run: Run) -> None:
    ran = run({"guest": "kernel", "params": {"rounds": 1}}, vsm_profile="openvmm", target=0x11)
    assert ran.words(LEARNT, 4) == [0, 0, 0, 6]
    assert {status for _, status, _ in ran.served} == {"SUCCESS"}


def test_vtl0_cannot_lift_the_fence_itself(run: Run) -> None:
    mask = put(0x204000, (1 << 64) - 1, 0xF | 0x10 << 32, SECRETS >> 12)
    call = "mov rcx, 0x10000000c\nmov rdx, 0x204000\nmov r8, 0\nmov rax, 0x7000\ncall rax"
    ran = run(stranger(mask, call, LOAD.format(SECRETS)))
    assert ran.served[-2:] == [("ModifyVtlProtectionMask", "ACCESS_DENIED", 0), ("SetVpRegisters", "SUCCESS", 1)]
    assert ran.denied == [(0, SECRETS)]


def test_who_is_asked_for_a_page_of_its_own_says_no(run: Run) -> None:
    ask = f"mov rdi, {MONITOR:#x}\nmov rsi, 1\n{VTL_CALL}\nmov rbx, 0x201000\nmov [rbx], rax"
    ran = run(stranger(ask))
    assert (ran.words(0x201000, 1), log(ran)) == ([6], [(MONITOR, REFUSED)])


@pytest.mark.parametrize("apart", [0, 1], ids=["with VTL0's", "with its own"])
def test_a_stranger_who_changes_the_hypercall_page(run: Run, apart: int) -> None:
    """HLT in place of the VTL return at 0x7020: a VTL1 that goes by that page is ended by VTL0."""
    ask = f"mov rdi, {CODE:#x}\nmov rsi, 0\n{VTL_CALL}\nmov rbx, 0x201000\nmov byte ptr [rbx], 1"
    ran = run(stranger("mov rbx, 0x7020\nmov byte ptr [rbx], 0xf4", ask), apart=apart)
    assert ran.words(0x201000, 1) == [apart]


def mapped(at: int, gpa: int) -> str:
    """The 2 MiB of virtual addresses from `at` on lead to `gpa`, by the page tables of the system area."""
    return f"{put(0x3000 + (at >> 21) * 8, gpa | 0xE3)}\nmov rax, cr3\nmov cr3, rax"


def test_another_address_for_a_page_is_fenced_as_well(run: Run) -> None:
    ran = run(stranger(mapped(0x400000, 0x200000), LOAD.format(SECRETS + 0x200000)))
    assert ran.denied == [(0, SECRETS)]


@pytest.mark.parametrize("apart", [0, 1], ids=["with VTL0's", "with its own"])
def test_a_stranger_who_changes_the_page_tables(run: Run, apart: int) -> None:
    """0x200000 now leads to 0x0, and so VTL1's stack to 0x1b000, where VTL0 has put the address of its own code. A VTL1
    that goes by these tables returns to that, and reads the secret for VTL0."""
    spy = "spy: mov rbx, 0x414000\nmov rax, [rbx]\nmov rbx, 0x401000\nmov [rbx], rax\nhlt"
    stack = "mov rax, spy\nmov rbx, 0x1bff8\nmov [rbx], rax"
    change = (mapped(0x400000, 0x200000), mapped(0x200000, 0))
    ran = run(stranger(stack, *change, VTL_CALL, "hlt", spy), apart=apart)
    assert ran.words(0x201000, 1) == [0 if apart else SECRET]


def test_the_hypervisor_writes_no_output_where_vtl0_may_not(run: Run) -> None:
    ask = put(0x204000, (1 << 64) - 1, 0xFFFF_FFFE, 0x20010) + call(0x1_0000_0050, r8=OWN[0])
    ran = run(stranger(ask))
    assert (ran.denied, log(ran)) == ([(0, OWN[0])], [(OWN[0], WRITE)])

"""The contract, one body for every hypervisor: how denied accesses exit, and what each answer makes of them."""

import pytest

from engine.conformance.instructions import LOADS, OLD, STORES, VALUE, Case
from engine.model.address import PAGE_SIZE
from engine.model.exits import AnyExit, InternalError, IoExit, MemoryExit, MmioExit, ProtectionExit, VoidExit
from engine.model.layout import stack_top
from engine.model.memslot import Memslot, SlotFlags
from engine.model.resolution import Complete, Drop, Retry
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import MIB, Guest, facts

PAGE = Guest.PAGE
ONES = (1 << 64) - 1


def _named(case: Case) -> str:
    return case.name


def _load(guest: Guest, assembly: str) -> None:
    guest.load(f"{assembly}\nmov r15d, 0x77\nhlt", rbx=PAGE, rdi=PAGE, rax=VALUE)


def _shape(exits: list[AnyExit]) -> list[tuple[str, int, int]]:
    return [(access, gpa - PAGE, size) for _, access, gpa, size in map(facts, exits)]


@pytest.mark.parametrize("case", STORES, ids=_named)
def test_a_denied_store_exits_and_complete_lands_it(guest: Guest, case: Case) -> None:
    guest.fence(Rights.RX)
    _load(guest, case.assembly)
    exits = guest.drive()
    assert _shape(exits) == case.accesses
    assert all(isinstance(exit, ProtectionExit) for exit in exits)
    assert guest.word() == case.after
    assert PAGE in guest.dirty()
    assert guest.vcpu.registers().r15 == 0x77


@pytest.mark.parametrize("case", STORES, ids=_named)
def test_a_dropped_store_vanishes(guest: Guest, case: Case) -> None:
    guest.fence(Rights.RX)
    _load(guest, case.assembly)
    exits = guest.drive(lambda _: Drop())
    assert _shape(exits) == case.accesses
    assert guest.memory.read(PAGE, PAGE_SIZE) == b"\x11" * PAGE_SIZE
    assert PAGE not in guest.dirty()
    assert guest.vcpu.registers().r15 == 0x77


@pytest.mark.parametrize("case", STORES, ids=_named)
def test_a_retried_store_happens_once(guest: Guest, case: Case) -> None:
    guest.fence(Rights.RX)
    _load(guest, case.assembly)

    def lift_and_retry(_: AnyExit) -> Retry:
        guest.fence(Rights.RWX)
        return Retry()

    exits = guest.drive(lift_and_retry)
    assert _shape(exits) == case.accesses[:1]
    assert guest.word() == case.after
    assert PAGE in guest.dirty()


@pytest.mark.parametrize("case", LOADS, ids=_named)
def test_what_is_denied_everything_exits_on_loads_too(guest: Guest, case: Case) -> None:
    guest.fence(Rights.NONE)
    _load(guest, case.assembly)
    exits = guest.drive()
    assert _shape(exits) == case.accesses
    assert guest.word() == case.after
    assert guest.vcpu.registers().r15 == 0x77


@pytest.mark.parametrize("case", STORES + LOADS, ids=_named)
def test_an_exit_tells_what_is_stored_and_where_from(guest: Guest, case: Case) -> None:
    guest.fence(Rights.NONE)
    _load(guest, case.assembly)
    for exit in guest.drive():
        assert isinstance(exit, MemoryExit)
        if exit.access == "write":
            assert exit.data is not None
            assert guest.memory.read(exit.gpa, exit.size) == exit.data
        else:
            assert exit.data is None
        assert exit.code
        assert guest.memory.read(exit.rip, len(exit.code)) == exit.code


LOCKED = [
    "lock add [rbx], rax",
    "lock add dword ptr [rbx+4], -3",
    "stc\nlock adc word ptr [rbx], ax",
    "lock sub byte ptr [rbx+1], ah",
    "stc\nlock sbb [rbx], rax",
    "lock and qword ptr [rbx], 0x7f",
    "lock or [rbx], eax",
    "lock xor qword ptr [rbx], -2",
    "lock inc word ptr [rbx+2]",
    "lock dec byte ptr [rbx]",
    "lock not dword ptr [rbx]",
    "lock neg qword ptr [rbx]",
    "lock bts dword ptr [rbx], 33",
    "lock btr qword ptr [rbx], 4",
    "lock btc word ptr [rbx], 3",
    "lock xadd [rbx], rax",
    "xchg [rbx], al",
    "lock cmpxchg [rbx], rdi",
    "mov rax, [rsi]\nlock cmpxchg [rbx], rdi",
    "lock cmpxchg8b [rbx]",
    "mov eax, [rsi]\nmov edx, eax\nlock cmpxchg8b [rbx]",
    "lock inc qword ptr [rbx-3]",
    "lock add [rbx+0xffd], rax",
]


@pytest.mark.parametrize("rights", [Rights.RX, Rights.NONE])
@pytest.mark.parametrize("assembly", LOCKED)
def test_a_locked_store_tells_what_it_stores(guest: Guest, assembly: str, rights: Rights) -> None:
    guest.fence(rights)
    guest.load(f"{assembly}\nhlt", rbx=PAGE, rsi=PAGE + 0x1000, rdi=7, rax=VALUE)
    guest.memory.write(PAGE + 0x1000, b"\x11" * 8)
    stores = [exit for exit in guest.drive() if isinstance(exit, ProtectionExit) and exit.access == "write"]
    assert stores
    for exit in stores:
        assert exit.data == guest.memory.read(exit.gpa, exit.size)


def test_a_completed_load_reads_ram_or_what_it_is_given(guest: Guest) -> None:
    guest.fence(Rights.NONE)
    _load(guest, "mov rcx, [rbx]")
    guest.drive()
    assert guest.vcpu.registers().rcx == OLD
    _load(guest, "mov rcx, [rbx]")
    guest.drive(lambda _: Complete(VALUE.to_bytes(8, "little")))
    assert guest.vcpu.registers().rcx == VALUE


def test_a_dropped_load_gets_all_ones(guest: Guest) -> None:
    guest.fence(Rights.NONE)
    _load(guest, "mov rcx, [rbx]")
    guest.drive(lambda _: Drop())
    assert guest.vcpu.registers().rcx == ONES


def test_a_completed_store_with_data_is_only_acknowledged(guest: Guest) -> None:
    guest.fence(Rights.RX)
    _load(guest, "mov [rbx], rax")
    guest.drive(lambda _: Complete(bytes(8)))
    assert guest.word() == OLD
    assert guest.vcpu.registers().r15 == 0x77


def test_retry_without_lifting_the_fence_exits_again(guest: Guest) -> None:
    guest.fence(Rights.RX)
    _load(guest, "inc qword ptr [rbx]")
    answers = iter([Retry(), Retry(), Complete()])
    exits = guest.drive(lambda _: next(answers))
    assert _shape(exits) == [("write", 0, 8)] * 3
    assert guest.word() == OLD + 1


def test_until_it_is_answered_the_denied_instruction_is_next(guest: Guest) -> None:
    guest.fence(Rights.RX)
    _load(guest, "inc qword ptr [rbx]")
    exit = guest.vcpu.run()
    assert guest.vcpu.registers().rip == exit.rip == 0x10000
    assert guest.word() == OLD
    guest.vcpu.resolve(exit, Complete())
    guest.vcpu.settle()
    assert guest.vcpu.registers().rip == 0x10003
    assert guest.word() == OLD + 1


def test_a_denied_fetch_completes_one_instruction(guest: Guest) -> None:
    guest.fence(Rights.NONE)
    guest.load("inc rcx\ninc rcx\njmp rdx", at=PAGE)
    guest.load("call rbx\nafter: hlt", rbx=PAGE, rdx=0x10002, rsp=stack_top(0))
    exits = guest.drive()
    assert _shape(exits) == [("execute", 0, 0), ("execute", 3, 0), ("execute", 6, 0)]
    assert guest.vcpu.registers().rcx == 2


def test_a_dropped_fetch_skips_one_instruction(guest: Guest) -> None:
    guest.fence(Rights.NONE)
    guest.load("inc rcx\nadd rcx, 5\njmp rdx", at=PAGE)
    guest.load("call rbx\nafter: hlt", rbx=PAGE, rdx=0x10002, rsp=stack_top(0))
    answers = iter([Complete(), Drop(), Complete()])
    guest.drive(lambda _: next(answers))
    assert guest.vcpu.registers().rcx == 1


def test_a_retried_fetch_goes_on_at_full_speed(guest: Guest) -> None:
    guest.fence(Rights.NONE)
    guest.load("inc rcx\ninc rcx\nret", at=PAGE)
    guest.load("call rbx\nhlt", rbx=PAGE)

    def lift_and_retry(_: AnyExit) -> Retry:
        guest.fence(Rights.RWX)
        return Retry()

    assert _shape(guest.drive(lift_and_retry)) == [("execute", 0, 0)]
    assert guest.vcpu.registers().rcx == 2


@pytest.mark.parametrize("rights", [Rights.R, Rights.RW])
def test_without_the_right_to_execute_a_page_is_still_data(guest: Guest, rights: Rights) -> None:
    guest.fence(rights)
    guest.load("ret", at=PAGE)
    guest.load("mov rcx, [rbx]\ncall rbx\nhlt", rbx=PAGE)
    assert _shape(guest.drive()) == [("execute", 0, 0)]


def test_a_void_load_gets_what_it_is_given_and_a_void_store_is_told(guest: Guest) -> None:
    guest.load("mov rcx, [rbx]\nmov [rbx+0x10], rax\nhlt", rbx=Guest.VOID, rax=VALUE)
    exits = guest.drive(lambda _: Complete(VALUE.to_bytes(8, "little")))
    assert [facts(exit) for exit in exits] == [
        ("VoidExit", "read", Guest.VOID, 8),
        ("VoidExit", "write", Guest.VOID + 0x10, 8),
    ]
    assert isinstance(exits[1], VoidExit)
    assert exits[1].data == VALUE.to_bytes(8, "little")
    assert guest.vcpu.registers().rcx == VALUE


def test_a_dropped_void_load_gets_all_ones(guest: Guest) -> None:
    guest.load("mov ecx, [rbx]\nhlt", rbx=Guest.VOID)
    guest.drive(lambda _: Drop())
    assert guest.vcpu.registers().rcx == 0xFFFFFFFF


def test_a_fetch_from_the_void_cannot_be_answered(guest: Guest) -> None:
    guest.load("jmp rbx", rbx=Guest.VOID)
    exit = guest.vcpu.run()
    assert isinstance(exit, InternalError)
    assert exit.facts


def test_a_store_to_a_readonly_slot_is_mmio_and_a_load_is_not(guest: Guest) -> None:
    guest.vm.set_memory_region(Memslot(2, Guest.VOID, MIB, 4 * MIB, int(SlotFlags.READONLY)))
    guest.memory.write(Guest.VOID, b"\x11" * 8)
    guest.load("mov rcx, [rbx]\nmov [rbx], rax\nhlt", rbx=Guest.VOID, rax=VALUE)
    exits = guest.drive()
    assert [facts(exit) for exit in exits] == [("MmioExit", "write", Guest.VOID, 8)]
    assert isinstance(exits[0], MmioExit)
    assert guest.vcpu.registers().rcx == guest.word(Guest.VOID) == OLD


def test_out_and_in_are_exact(guest: Guest) -> None:
    guest.load("inc rbx\nout 0x10, al\ninc rbx\nin eax, 0x20\ninc rbx\nhlt", rax=VALUE)
    exit = guest.vcpu.run()
    assert isinstance(exit, IoExit)
    assert (exit.port, exit.size, exit.data, exit.rip) == (0x10, 1, b"\x11", 0x10003)
    assert guest.vcpu.registers().rbx == 1
    guest.vcpu.resolve(exit, Complete())
    exit = guest.vcpu.run()
    assert isinstance(exit, IoExit)
    assert (exit.port, exit.size, exit.data) == (0x20, 4, None)
    assert guest.vcpu.registers().rbx == 2
    guest.vcpu.resolve(exit, Complete(b"\x04\x03\x02\x01"))
    assert guest.drive() == []
    assert (guest.vcpu.registers().rax, guest.vcpu.registers().rbx) == (0x01020304, 3)


def test_an_out_right_after_a_store_of_its_size_is_told_from_it(guest: Guest) -> None:
    """The store to the void ends where the OUT begins: on some hosts both exits have the same RIP."""
    guest.load("mov [rbx], al\nout 0x10, al\nhlt", rbx=Guest.VOID)
    assert [exit.rip for exit in guest.drive()] == [0x10000, 0x10002]


def test_a_dropped_in_gets_all_ones(guest: Guest) -> None:
    guest.load("in al, 0x20\nhlt", rax=0x500)
    guest.drive(lambda _: Drop())
    assert guest.vcpu.registers().rax == 0x5FF


@pytest.mark.parametrize("rights", [Rights.RX, Rights.NONE])
def test_flags_pushed_under_a_fence_have_no_trap_flag(guest: Guest, rights: Rights) -> None:
    """Whatever executes the instruction one step at a time must not be seen by the guest."""
    guest.fence(rights)
    guest.load("pushfq\nnop\njmp rdx", at=PAGE + 0x100)
    guest.load("jmp rcx\nhlt", rcx=PAGE + 0x100, rdx=0x10002, rsp=PAGE + 8)
    exits = guest.drive()
    assert guest.word() & ~0x8D5 == 2
    told = [exit.data for exit in exits if isinstance(exit, ProtectionExit) and exit.access == "write"]
    # Of an instruction whose fetch was denied too, not every host can tell.
    if rights & Rights.KX or guest.vm.capabilities.denies_whole:
        assert told == [guest.memory.read(PAGE, 8)]

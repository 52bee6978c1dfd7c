"""The simulator against real KVM: the same few instructions on fenced pages, the same answers, the same everything."""

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.hypervisor.sim.partition import SimHypervisor
from engine.model.address import PAGE_SIZE
from engine.model.exits import AnyExit, IoExit, MemoryExit
from engine.model.registers import Registers
from engine.model.resolution import Complete, Drop, Resolution
from engine.model.rights import Rights
from tests.engine.hypervisor.conftest import real_kvm
from tests.engine.hypervisor.differential.undefined_flags import undefined_flags
from tests.engine.hypervisor.guest import Guest

PAGE = Guest.PAGE
INSTRUCTIONS = [
    "mov [rbx], rax",
    "mov [rbx+0xffd], eax",
    "mov [rbx-3], rax",
    "mov word ptr [rbx+6], 0x1234",
    "mov rcx, [rbx]",
    "mov cl, [rbx+5]",
    "movzx ecx, word ptr [rbx+2]",
    "movsxd rcx, dword ptr [rbx+4]",
    "mov rcx, [rbx+0xffc]",
    "inc qword ptr [rbx]",
    "dec byte ptr [rbx+7]",
    "neg dword ptr [rbx]",
    "not qword ptr [rbx+8]",
    "add rax, [rbx]",
    "add [rbx], rax",
    "sbb [rbx+8], rax",
    "xor [rbx+16], eax",
    "cmp [rbx], rax",
    "test [rbx], al",
    "shl qword ptr [rbx], 3",
    "push rax",
    "push qword ptr [rbx]",
    "pop rcx",
    "pop qword ptr [rbx+8]",
    "call 1f\n1:",
    "lodsq",
    "stosd",
    "movsb",
    "movsq",
    "scasb",
    "mov ecx, 3\nrep stosw",
    "mov ecx, 2\nrep movsb",
    "sete [rbx+1]",
    "xlatb",
    "out 0x10, al",
    "in ax, 0x10",
]
"""What every KVM can do on denied pages: no locked, no vector instructions. Not CMPS: the order of its two loads is the
implementation's own."""
ANSWERS: list[Resolution] = [Complete(), Drop(), Complete(bytes(range(8)))]
Outcome = tuple[list[tuple[object, ...]], Registers, bytes, set[int]]


@pytest.fixture(scope="module")
def guests() -> Iterator[tuple[Guest, Guest]]:
    pair = Guest(SimHypervisor()), Guest(real_kvm())
    yield pair
    for guest in pair:
        guest.vm.close()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(INSTRUCTIONS), min_size=1, max_size=4),
    st.sampled_from([Rights.NONE, Rights.RX]),
    st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=4),
    st.sampled_from([PAGE, PAGE + 0x100, Guest.VOID]),
)
def test_the_simulator_does_what_kvm_does(
    guests: tuple[Guest, Guest], program: list[str], rights: Rights, answers: list[Resolution], target: int
) -> None:
    (*simulated, written), (*real, logged) = (_outcome(guest, program, rights, answers, target) for guest in guests)
    assert simulated == real
    assert written <= logged
    assert written == logged or guests[1].vm.capabilities.logs_loads


def _outcome(guest: Guest, program: list[str], rights: Rights, answers: list[Resolution], target: int) -> Outcome:
    guest.memory.write(PAGE - PAGE_SIZE, b"\x22" * PAGE_SIZE + bytes(range(256)) * 16 + b"\x33" * PAGE_SIZE)
    guest.fence(rights)
    guest.dirty()
    text = "\n".join(line.replace("1f", f"next{n}").replace("1:", f"next{n}:") for n, line in enumerate(program))
    guest.load(
        f"{text}\nhlt", rbx=target, rsi=target + 0x20, rdi=target + 0x40, rsp=target + 0x80, rax=0x88776655443322A1
    )
    given = iter(answers * 100)
    exits = guest.drive(lambda _: next(given))
    memory = guest.memory.read(PAGE - PAGE_SIZE, 3 * PAGE_SIZE)
    registers = guest.vcpu.registers()
    defined = msgspec.structs.replace(registers, rflags=registers.rflags & ~undefined_flags(text).last)
    return [_facts(exit) for exit in exits], defined, memory, guest.dirty()


def _facts(exit: AnyExit) -> tuple[object, ...]:
    if isinstance(exit, MemoryExit):
        return type(exit).__name__, exit.rip, exit.code, exit.gpa, exit.access, exit.size, exit.data
    assert isinstance(exit, IoExit), exit
    return type(exit).__name__, exit.rip, exit.port, exit.size, exit.data

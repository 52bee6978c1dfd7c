"""The contract: run(1) executes one instruction, and what it takes to do so is not seen by the guest."""

import pytest

from engine.conformance.handlers import TAKE_FRAME, handle, handler_of
from engine.hypervisor.contract.errors import Unsupported
from engine.model.exits import AnyExit, HltExit, Interrupted, IoExit, ProtectionExit
from engine.model.resolution import Complete, Inject, Retry
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import Guest

START = 0x10000
TRAP = 1 << 8


@pytest.fixture(autouse=True)
def _steps(guest: Guest) -> None:
    able = guest.vm.capabilities
    if not (able.single_step or able.counts_instructions):
        pytest.skip(f"{able.label}: {able.step_reason}")


def step(guest: Guest, times: int) -> list[int]:
    """RIP after each of so many single steps, from the start of the code at hand; repetitions left out."""
    found: list[int] = []
    for _ in range(times):
        exit = guest.vcpu.run(1)
        assert isinstance(exit, Interrupted), exit
        assert exit.rip == guest.vcpu.registers().rip
        if found[-1:] != [exit.rip - START]:
            found.append(exit.rip - START)
    return found


def test_each_step_is_one_instruction(guest: Guest) -> None:
    guest.load(
        """
        mov ecx, 2          # 0
        call work           # 5
        jmp over            # 10
    work:
        push rax            # 12
        pop rdx             # 13
        ret                 # 14
    over:
        dec ecx             # 15
        jnz over            # 17
        hlt                 # 19
        """
    )
    assert step(guest, 10) == [5, 12, 13, 14, 10, 15, 17, 15, 17, 19]
    assert isinstance(guest.vcpu.run(1), HltExit)


def test_flags_that_a_stepped_guest_saves_and_restores_are_its_own(guest: Guest) -> None:
    guest.load("pushfq\npop rax\npushfq\npopfq\nnop\npushfq\npop rbx\nhlt")
    step(guest, 7)
    after = guest.vcpu.registers()
    assert (after.rax & TRAP, after.rbx & TRAP, after.rflags & TRAP) == (0, 0, 0)


def test_a_repeated_string_instruction_is_over_in_some_steps(guest: Guest) -> None:
    guest.load("mov ecx, 3\nrep stosb\ninc rdx\nhlt", rdi=Guest.PAGE, rax=0x42)
    assert step(guest, 1) == [5]
    while guest.vcpu.registers().rip == START + 5:
        assert isinstance(guest.vcpu.run(1), Interrupted)
    after = guest.vcpu.registers()
    assert (after.rip - START, after.rcx, after.rdx) == (7, 0, 0)
    assert guest.memory.read(Guest.PAGE, 4) == b"\x42\x42\x42\x11"


def test_an_exit_comes_instead_and_its_answer_is_not_a_step(guest: Guest) -> None:
    guest.load("nop\nin al, 0x10\ninc rdx\ninc rdx\nhlt")
    assert step(guest, 1) == [1]
    exit = guest.vcpu.run(1)
    assert isinstance(exit, IoExit)
    guest.vcpu.resolve(exit, Complete(b"\x42"))
    assert step(guest, 1) == [6]
    after = guest.vcpu.registers()
    assert (after.rax, after.rdx) == (0x42, 1)


@pytest.mark.parametrize("assembly", ["inc qword ptr [rbx]", "lock inc qword ptr [rbx]"])
def test_a_fence_is_met_once_and_completed_once(guest: Guest, assembly: str) -> None:
    guest.fence(Rights.RX)
    guest.load(f"nop\n{assembly}\ninc rdx\nhlt", rbx=Guest.PAGE)
    assert step(guest, 1) == [1]
    exit = guest.vcpu.run(1)
    assert isinstance(exit, ProtectionExit)
    guest.vcpu.resolve(exit, Complete())
    (rip,) = step(guest, 1)
    assert rip == 1 + len(exit.code) + 3
    assert guest.word() == 0x1111111111111112
    assert guest.vcpu.registers().rdx == 1


def test_a_fenced_instruction_that_is_tried_again_is_the_step(guest: Guest) -> None:
    guest.fence(Rights.RX)
    guest.load("mov [rbx], rax\ninc rdx\nhlt", rbx=Guest.PAGE)
    guest.vcpu.resolve(guest.vcpu.run(1), Retry())
    guest.fence(Rights.RWX)
    assert step(guest, 1) == [3]
    assert guest.word() == 0


def test_a_page_that_may_be_loaded_from_is_stepped_over_unseen(guest: Guest) -> None:
    guest.fence(Rights.R)
    guest.load("mov rcx, [rbx]\ncmp rcx, [rbx]\nlock add [rsi], rcx\nhlt", rbx=Guest.PAGE, rsi=Guest.PAGE + 0x1000)
    assert step(guest, 3) == [3, 6, 10]
    assert guest.vcpu.registers().rcx == 0x1111111111111111


def test_an_exception_leads_to_its_handler_and_back(guest: Guest) -> None:
    handle(guest, {6: "add qword ptr [rsp], 2\niretq", 14: "add rsp, 8\nadd qword ptr [rsp], 3\niretq"})
    guest.load("nop\nud2\nmov rax, [rbx]\nnop\nhlt", rbx=0x80_0000_0000)
    invalid, fault = handler_of(6) - START, handler_of(14) - START
    assert step(guest, 9) == [1, invalid, invalid + 5, 3, fault, fault + 4, fault + 9, 6, 7]


def test_the_frame_of_an_exception_has_no_trap_flag(guest: Guest) -> None:
    handle(guest, {14: f"{TAKE_FRAME}hlt"})
    guest.load("mov rax, [rbx]\nhlt", rbx=0x80_0000_0000)
    assert step(guest, 1) == [handler_of(14) - START]
    assert isinstance(guest.vcpu.run(), HltExit)
    after = guest.vcpu.registers()
    assert (after.r9, after.r12 & TRAP, after.r13) == (START, 0, 0x80_0000_0000)


def test_an_injected_exception_is_a_step_of_its_own(guest: Guest) -> None:
    handle(guest, {0: f"{TAKE_FRAME}hlt"})
    guest.load("nop\nhlt")
    guest.vcpu.inject(Inject(0))
    assert step(guest, 1) == [handler_of(0) - START]
    assert isinstance(guest.vcpu.run(), HltExit)
    after = guest.vcpu.registers()
    assert (after.r8, after.r10 & TRAP) == (START, 0)


def test_afterwards_it_runs_on_freely(guest: Guest) -> None:
    guest.load("nop\nnop\ninc rdx\nhlt")
    step(guest, 2)
    assert isinstance(guest.vcpu.run(), HltExit)
    assert guest.vcpu.registers().rdx == 1


def test_a_kick_comes_before_the_step(guest: Guest) -> None:
    guest.load("inc rdx\nhlt")
    guest.vcpu.kick()
    exit: AnyExit = guest.vcpu.run(1)
    assert isinstance(exit, Interrupted)
    assert guest.vcpu.registers().rdx == 0
    assert step(guest, 1) == [3]


def test_more_than_one_only_where_instructions_are_counted(guest: Guest) -> None:
    guest.load("nop\nnop\nnop\nhlt")
    if guest.vm.capabilities.counts_instructions:
        assert guest.vcpu.run(2).rip == START + 2
        return
    with pytest.raises(Unsupported):
        guest.vcpu.run(2)

"""Single steps on real KVM where a processor's trap flag has its own ideas."""

from engine.conformance.handlers import handle, handler_of
from engine.model.exits import HltExit, InternalError, Interrupted
from tests.engine.hypervisor.guest import Guest

TRAP = 1 << 8


def test_loading_the_stack_segment_may_take_the_next_instruction_along(guest: Guest) -> None:
    """MOV SS holds traps back for one instruction (SDM Vol. 3, 6.8.3)."""
    guest.load("mov ss, edx\nmov eax, 1\nnop\nhlt", rdx=0x10)
    exit = guest.vcpu.run(1)
    assert isinstance(exit, Interrupted)
    assert exit.rip in (0x10002, 0x10007)


def test_a_software_interrupt_leads_to_its_handler_with_the_guests_own_flags(guest: Guest) -> None:
    handle(guest, {32: "iretq"})
    guest.load("int 0x20\nnop\nhlt")
    exit = guest.vcpu.run(1)
    if isinstance(exit, InternalError):  # kernels that emulate guest code cannot do INT n
        return
    assert exit.rip == handler_of(32)
    frame = guest.vcpu.registers().rsp
    assert int.from_bytes(guest.memory.read(frame, 8), "little") == 0x10002
    assert not guest.word(frame + 16) & TRAP
    assert [guest.vcpu.run(1).rip for _ in range(2)] == [0x10002, 0x10003]
    assert isinstance(guest.vcpu.run(1), HltExit)


def test_a_guest_that_traps_itself_keeps_its_flag(guest: Guest) -> None:
    """Its own #DB comes as without steps: to its handler, with the flag in the frame."""
    handle(guest, {1: "mov r8, [rsp+0x10]\nhlt"})
    guest.load("pushfq\nor dword ptr [rsp], 0x100\npopfq\nnop\nnop\nhlt")
    assert isinstance(guest.vcpu.run(1), Interrupted)
    assert isinstance(guest.vcpu.run(), HltExit)
    assert guest.vcpu.registers().r8 & TRAP

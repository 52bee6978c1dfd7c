"""The contract, one body for every hypervisor: fences met together with something else. Found by drawing guests."""

from engine.model.exits import AnyExit, IoExit, MemoryExit, ProtectionExit
from engine.model.memslot import Memslot, SlotFlags
from engine.model.resolution import Complete, Retry
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import MIB, Guest, facts

VOID, PAGE = Guest.VOID, Guest.PAGE


def test_a_fence_is_asked_before_a_slots_readonly(guest: Guest) -> None:
    """Lifting the fence for this store lets it come as far as the slot, and no further."""
    guest.vm.set_memory_region(Memslot(2, VOID, MIB, 4 * MIB, int(SlotFlags.READONLY)))
    guest.fence(Rights.RX, VOID)
    guest.load("mov [rbx], eax\nhlt", rbx=VOID, rax=5)
    exits = guest.drive()
    assert [facts(exit) for exit in exits] == [("ProtectionExit", "write", VOID, 4), ("MmioExit", "write", VOID, 4)]
    assert guest.word(VOID) == 0


def test_a_call_that_pushes_across_two_pages_is_told_as_the_call(guest: Guest) -> None:
    """Neither half of a return address tells by itself where the call was."""
    guest.load("nop\ncall there\nhlt\nthere: nop\nhlt", rsp=VOID + 0x1004)
    exits = guest.drive()
    assert [facts(exit) for exit in exits] == [
        ("VoidExit", "write", VOID + 0xFFC, 4),
        ("VoidExit", "write", VOID + 0x1000, 4),
    ]
    assert {exit.rip for exit in exits} == {0x10001}
    assert all(isinstance(exit, MemoryExit) and exit.code for exit in exits)


def test_what_a_port_gives_is_stored_once_over_a_fence(guest: Guest) -> None:
    """An INS has two exits: the port's, and the fence's. After a Retry it asks the port again."""
    guest.fence(Rights.RX)
    guest.load("mov dx, 0x3f8\ninsw\nhlt", rdi=PAGE)

    def answer(exit: AnyExit) -> Complete | Retry:
        if isinstance(exit, IoExit):
            return Complete(b"\x34\x12")
        guest.fence(Rights.RWX)
        return Retry()

    exits = guest.drive(answer)
    assert [type(exit).__name__ for exit in exits] == ["IoExit", "ProtectionExit", "IoExit"]
    assert {exit.rip for exit in exits} == {0x10004}
    assert guest.memory.read(PAGE, 3) == b"\x34\x12\x11"
    assert guest.vcpu.registers().rdi == PAGE + 2


def test_code_right_before_a_fence_that_stores_into_itself_goes_on(guest: Guest) -> None:
    """The last instructions of a page change their own bytes, and the next page may not be executed."""
    last = PAGE - 8
    guest.memory.write(last, bytes.fromhex("0000") * 4)  # add [rax], al
    guest.fence(Rights.NONE)
    guest.load("jmp rax", rax=last)
    exit = guest.vcpu.run()
    assert isinstance(exit, ProtectionExit)
    assert (exit.rip, guest.memory.read(last, 1)) == (PAGE, bytes([last * 4 & 0xFF]))

"""What only the simulator promises of exceptions: exact counts, and what happens where delivery cannot."""

from engine.model.address import PAGE_SIZE
from engine.model.exits import InternalError, Interrupted
from engine.model.layout import code_base
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import Guest
from tests.engine.hypervisor.idt import handle, handler_of

PAGE, DATA = Guest.PAGE, Guest.DATA


def test_an_exception_that_would_leave_the_guest_in_its_delivery_is_the_end(sim: Guest) -> None:
    handle(sim, {6: "hlt"})
    sim.load("ud2", rsp=Guest.VOID + 0x1000)
    exit = sim.vcpu.run()
    assert isinstance(exit, InternalError)
    assert exit.facts == {"suberror": 3, "vector": 6, "gpa": Guest.VOID + 0x1000 - 40}


def test_a_fenced_stack_is_no_place_for_a_frame(sim: Guest) -> None:
    handle(sim, {6: "hlt"})
    sim.fence(Rights.R)
    sim.load("ud2", rsp=PAGE + 0x800)
    exit = sim.vcpu.run()
    assert isinstance(exit, InternalError)
    assert exit.facts["suberror"] == 3
    assert sim.memory.read(PAGE, PAGE_SIZE) == b"\x11" * PAGE_SIZE


def test_the_delivery_of_an_exception_counts_as_an_instruction(sim: Guest) -> None:
    handle(sim, {3: "nop\nhlt", 6: "nop\nhlt"})
    for assembly in ("nop\nud2", "nop\nint3"):
        sim.load(assembly)
        before, places = sim.vcpu.instructions or 0, list[int]()
        for _ in range(4):
            sim.vcpu.run(1)
            places.append(sim.vcpu.registers().rip)
        assert places == [code_base(0) + 1, *(handler_of(places[1] - handler_of(0) >> 7) + n for n in range(3))]
        assert sim.vcpu.instructions == before + 4


def test_a_handler_that_faults_for_ever_can_be_interrupted(sim: Guest) -> None:
    handle(sim, {6: "add rsp, 40\nud2"})
    sim.load("ud2")
    assert isinstance(sim.vcpu.run(30_001), Interrupted)
    assert sim.vcpu.registers().rip == handler_of(6)


def test_a_frame_on_an_executed_page_replaces_its_code(sim: Guest) -> None:
    """The word at the bottom of the frame is the address of UD2, 0x10002, whose bytes begin with `add al, [rax]`."""
    handle(sim, {6: "jmp rsp"})
    sim.load("nop\nnop\nhlt", at=DATA + 8, rip=DATA + 8)
    sim.drive()
    sim.load("nop\nnop\nud2", rsp=DATA + 48, rax=PAGE)
    sim.vcpu.run(5)
    assert (sim.vcpu.registers().rip, sim.vcpu.registers().rax) == (DATA + 10, PAGE + 0x11)

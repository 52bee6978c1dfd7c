"""What only the simulator promises of exceptions: exact counts, and what happens where delivery cannot."""

from engine.conformance.handlers import handle, handler_of
from engine.hypervisor.contract.extensions import Snapshots
from engine.hypervisor.sim.partition import SimHypervisor
from engine.model.address import PAGE_SIZE
from engine.model.exits import HltExit, InternalError, Interrupted, RingFullExit
from engine.model.layout import code_base
from engine.model.resolution import Drop, Inject
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import Guest

PAGE, DATA = Guest.PAGE, Guest.DATA
STACK = DATA + 0x1F0800


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


def test_a_frame_waits_until_the_ring_has_room() -> None:
    guest = Guest(SimHypervisor(), prepare=lambda vm: vm.enable_dirty_ring(4096))
    handle(guest, {6: "hlt"})
    guest.load("again: mov [rsi], rax\nadd rsi, 0x1000\ndec rcx\njnz again\nud2", rsi=DATA, rcx=400, rsp=STACK)
    full = guest.vcpu.run()
    assert isinstance(full, RingFullExit)
    guest.vcpu.inject(Inject(6))
    assert guest.vcpu.run() == full
    assert guest.memory.read(STACK - 40, 40) == bytes(40)
    guest.vcpu.harvest_dirty_ring()
    guest.vm.reset_dirty_rings()
    assert isinstance(guest.vcpu.run(), HltExit)
    assert guest.memory.read(guest.vcpu.registers().rsp, 8) == full.rip.to_bytes(8, "little")
    guest.vm.close()


def test_what_waits_is_part_of_a_snapshot(sim: Guest) -> None:
    handle(sim, {6: "hlt", 13: "hlt"})
    sim.vm.enable_msr_exits()
    sim.load("nop\nrdmsr\nhlt", rcx=0x12345)
    exit = sim.vcpu.run()
    snapshots = sim.vm.extension(Snapshots)
    kept = snapshots.take()
    sim.vcpu.resolve(exit, Inject(6))
    waits = snapshots.take()
    for _ in range(2):
        snapshots.restore(waits)
        assert isinstance(sim.vcpu.run(), HltExit)
        assert sim.vcpu.registers().rip == handler_of(6) + 1
        snapshots.restore(kept)
        sim.vcpu.resolve(exit, Drop())
        assert isinstance(sim.vcpu.run(), HltExit)
        assert sim.vcpu.registers().rip == code_base(0) + 4

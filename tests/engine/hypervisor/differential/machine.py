"""A state machine that draws calls of the contract and short guests, and does each on the simulator and on real KVM.

Hypothesis prints the shortest program that shows a difference; as a test it reads

    def test_it(real: Hypervisor) -> None:
        state = machine(real)()
        state.begin(ring=0)
        state.execute(program=Program(...))
        state.teardown()
"""

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine.hypervisor.contract.protocols import Hypervisor
from engine.model.address import PAGE_SIZE, PageRange
from engine.model.memslot import Memslot
from engine.model.rights import Rights
from tests.engine.hypervisor.differential import draw
from tests.engine.hypervisor.differential.pair import Pair
from tests.engine.hypervisor.differential.program import Program

RINGS = [0, 0, 0, 16384]
ALIVE = precondition(lambda self: not self.pair.dead)


class Machine(RuleBasedStateMachine):
    real: Hypervisor
    pair: Pair

    @initialize(ring=st.sampled_from(RINGS))
    def begin(self, ring: int) -> None:
        """`ring`: bytes of the dirty rings; 0 for logs."""
        self.pair = Pair(self.real, lambda vm: vm.enable_dirty_ring(ring) if ring else None)

    def teardown(self) -> None:
        if hasattr(self, "pair"):
            self.pair.close()

    @ALIVE
    @rule(program=draw.programs())
    def execute(self, program: Program) -> None:
        assume(draw.reads_what_is_defined(program))
        self.pair.run(program)

    @rule(slot=draw.slots)
    def set_memory_region(self, slot: Memslot) -> None:
        self.pair.same(lambda guest: guest.vm.set_memory_region(slot))

    @rule(gpa=st.sampled_from(draw.FENCES), pages=st.sampled_from([1, 1, 2]), rights=draw.rights)
    def set_mask(self, gpa: int, pages: int, rights: Rights) -> None:
        self.pair.same(lambda guest: guest.vm.set_mask(0, PageRange.of(gpa, pages * PAGE_SIZE), rights))

    @rule(vtl=st.sampled_from([-1, 0, 1, 2]), rights=st.sampled_from([Rights.RX, Rights.W, Rights.R | Rights.KX]))
    def set_mask_wrongly(self, vtl: int, rights: Rights) -> None:
        assume(vtl or rights != Rights.RX)
        self.pair.same(lambda guest: guest.vm.set_mask(vtl, PageRange.of(draw.PAGE, PAGE_SIZE), rights))

    @rule(slot=st.sampled_from([0, 1, 1, 2, 3, 32764, 0x20001]))
    def get_dirty_log(self, slot: int) -> None:
        self.pair.log(slot)

    @rule(flags=st.sampled_from([0, 1, 2, 3, 4]))
    def enable_manual_protect(self, flags: int) -> None:
        self.pair.same(lambda guest: guest.vm.enable_manual_protect(flags))

    @rule(
        slot=st.sampled_from([0, 1, 1, 2, 3, 32764]),
        first=st.sampled_from([0, 0, 64, 1, 448, 512]),
        pages=st.sampled_from([64, 64, 512, 256, 0, 1, 37]),
        bits=st.sampled_from([b"\xff", b"\x01", b"\x00"]),
    )
    def clear_dirty_log(self, slot: int, first: int, pages: int, bits: bytes) -> None:
        self.pair.same(lambda guest: guest.vm.clear_dirty_log(slot, first, pages, bits * 64))

    @rule()
    def harvest(self) -> None:
        if self.pair.sim.vm.dirty_way == "ring":
            self.pair.harvest()
        else:
            self.pair.same(lambda guest: guest.vcpu.harvest_dirty_ring())
            self.pair.same(lambda guest: guest.vm.harvest_vmm_writes())

    @rule()
    def reset_dirty_rings(self) -> None:
        if self.pair.sim.vm.dirty_way == "ring":
            self.pair.harvest()
            self.pair.reset()
        else:
            self.pair.same(lambda guest: guest.vm.reset_dirty_rings())

    @rule(size=st.sampled_from([0, 4096, 5000, 65536, 1 << 21]))
    def enable_dirty_ring_too_late(self, size: int) -> None:
        self.pair.same(lambda guest: guest.vm.enable_dirty_ring(size))

    @rule(gpa=draw.pages, offset=st.sampled_from([0, 8, -4, 0xFFC]), data=st.binary(min_size=1, max_size=9))
    def write(self, gpa: int, offset: int, data: bytes) -> None:
        self.pair.same(lambda guest: guest.memory.write(gpa + offset, data))

    @rule(gpa=draw.pages, offset=st.sampled_from([0, -4, 0xFFC]), size=st.sampled_from([1, 8, PAGE_SIZE]))
    def read(self, gpa: int, offset: int, size: int) -> None:
        self.pair.same(lambda guest: guest.memory.read(gpa + offset, size))

    @ALIVE
    @rule(vtl=st.sampled_from([0, 1, 1, 2, -1]))
    def enter_vtl(self, vtl: int) -> None:
        self.pair.same(lambda guest: guest.vcpu.enter_vtl(vtl))
        self.pair.same(lambda guest: guest.vcpu.vtl)

    @ALIVE
    @rule(value=draw.WORD)
    def set_registers(self, value: int) -> None:
        registers = self.pair.sim.vcpu.registers()
        changed = type(registers)(**{**{f"r{n}": value for n in range(8, 16)}, "rip": 0x10000, "rflags": 0x8D7})
        self.pair.same(lambda guest: guest.vcpu.set_registers(changed))
        self.pair.same(lambda guest: guest.vcpu.registers())

    @invariant()
    def what_can_be_asked_is_the_same(self) -> None:
        self.pair.same(lambda guest: (guest.vm.slots, guest.vm.masks(0), guest.vm.dirty_way))


def machine(hypervisor: Hypervisor) -> type[Machine]:
    """One that compares the simulator with this real KVM."""
    return type("Machine", (Machine,), {"real": hypervisor})

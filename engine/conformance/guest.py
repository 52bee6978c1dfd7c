"""A small guest to put a hypervisor to the test with."""

from collections.abc import Callable

from engine.hypervisor.contract.capabilities import Capabilities
from engine.hypervisor.contract.protocols import Hypervisor, Vcpu, Vm
from engine.machine.harvest import harvest
from engine.model.address import PAGE_SIZE, PageRange
from engine.model.exits import AnyExit, HltExit, InternalError, ShutdownExit
from engine.model.layout import DESCRIPTORS, PML4, code_base, stack_top
from engine.model.memslot import Memslot, SlotFlags
from engine.model.registers import Registers
from engine.model.resolution import Complete, Resolution
from engine.model.rights import Rights
from engine.x86.assemble import assemble
from engine.x86.descriptors import GDT
from engine.x86.paging import identity_tables

MIB = 1 << 20
RAM = 8 * MIB
Answer = Callable[[AnyExit], Resolution]


class NoEnd(Exception):
    """The guest died, or went on for more exits than it can have."""


class Guest:
    """A vm of 8 MiB: slot 0 (system area, 2 MiB), slot 1 (2 MiB, logged, at DATA), the void from VOID on."""

    DATA = 2 * MIB
    PAGE = DATA + 0x10000
    """A page to fence; filled with 0x11, the next one with 0x33."""
    VOID = 4 * MIB

    def __init__(self, hypervisor: Hypervisor, ram: int = RAM, prepare: Callable[[Vm], None] = lambda _: None) -> None:
        """`prepare` is called first, before there are slots and vCPUs."""
        self.vm: Vm = hypervisor.create_vm(ram)
        prepare(self.vm)
        self.vm.set_memory_region(Memslot(0, 0, 2 * MIB, 0))
        self.vm.set_memory_region(Memslot(1, self.DATA, 2 * MIB, 2 * MIB, int(SlotFlags.LOG)))
        self.memory = self.vm.memory()
        for gpa, table in identity_tables().items():
            self.memory.write(gpa, table)
        self.memory.write(DESCRIPTORS, GDT)
        self.memory.write(self.PAGE, b"\x11" * PAGE_SIZE + b"\x33" * PAGE_SIZE)
        harvest(self.vm)
        self.vcpus: list[Vcpu] = [self.vm.create_vcpu(0, PML4)]

    @property
    def vcpu(self) -> Vcpu:
        return self.vcpus[0]

    def load(self, assembly: str, at: int = code_base(0), vcpu: int = 0, **registers: int) -> None:
        """Put the code there and the vCPU at its start."""
        self.memory.write(at, assemble(assembly, at).code)
        start = {"rip": at, "rsp": stack_top(vcpu), **registers}
        self.vcpus[vcpu].set_registers(Registers(**start))

    def fence(self, rights: Rights, gpa: int = PAGE, pages: int = 1) -> None:
        """Set VTL0's mask; Unsupported where this host cannot."""
        self.vm.set_mask(0, PageRange.of(gpa, pages * PAGE_SIZE), rights)

    def drive(self, answer: Answer = lambda _: Complete(), limit: int = 100) -> list[AnyExit]:
        """Run and answer until the guest halts; every exit before that. NoEnd when it dies or does not end."""
        found: list[AnyExit] = []
        while len(found) < limit:
            exit = self.vcpu.run()
            if isinstance(exit, HltExit):
                return found
            if isinstance(exit, ShutdownExit | InternalError):
                raise NoEnd(f"{exit}")
            found.append(exit)
            self.vcpu.resolve(exit, answer(exit))
        raise NoEnd(f"no HLT after {limit} exits: {found[-3:]}")

    def word(self, gpa: int = PAGE) -> int:
        return int.from_bytes(self.memory.read(gpa, 8), "little")

    def dirty(self) -> set[int]:
        """gpas of pages in slot 1's log, which is clean afterwards."""
        bitmap = int.from_bytes(self.vm.get_dirty_log(1), "little")
        return {self.DATA + n * PAGE_SIZE for n in range(512) if bitmap >> n & 1}


class Factory:
    """Makes guests and vms on one hypervisor, and closes them all."""

    def __init__(self, hypervisor: Hypervisor) -> None:
        self._hypervisor = hypervisor
        self._made: list[Vm] = []

    @property
    def capabilities(self) -> Capabilities:
        return self._hypervisor.capabilities

    def guest(self, ram: int = RAM, prepare: Callable[[Vm], None] = lambda _: None) -> Guest:
        def keep(vm: Vm) -> None:
            self._made.append(vm)
            prepare(vm)

        return Guest(self._hypervisor, ram, keep)

    def vm(self, ram: int = RAM) -> Vm:
        """Without slots and vCPUs."""
        self._made.append(self._hypervisor.create_vm(ram))
        return self._made[-1]

    def close(self) -> None:
        while self._made:
            self._made.pop().close()

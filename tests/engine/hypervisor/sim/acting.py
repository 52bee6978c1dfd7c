"""A machine to which things are done by name, so that two can be done the same to."""

from collections.abc import Iterator

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.sim.partition import SimHypervisor
from engine.model.address import PAGE_SIZE, PageRange
from engine.model.exits import AnyExit
from engine.model.layout import PML4, code_base
from engine.model.memslot import Memslot
from engine.model.resolution import Complete, Drop, Resolution, Retry
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import MIB, Guest

DATA = Guest.DATA
PROGRAM = """
again: mov [rsi], rbx
mov rax, [rsi+0x3000]
add rbx, 0x1111
lock add [rsi+0xffe], rbx
push rbx
add rsi, 0x1008
and rsi, rdx
or rsi, rdi
fld1
fstp qword ptr [rdi+8]
jmp again
"""
Action = tuple[str | int, ...]
"""A method of Machine and its arguments."""
Seen = AnyExit | int | bytes | None
RIGHTS = (Rights.NONE, Rights.R, Rights.RW, Rights.RX, Rights.RWX)
ANSWERS: tuple[Resolution, ...] = (Complete(), Drop(), Retry())


class Machine:
    """A guest whose two vCPUs store into 32 pages; `act` does one thing to it."""

    def __init__(self, ring: int = 0) -> None:
        self.guest = Guest(SimHypervisor(), prepare=lambda vm: vm.enable_dirty_ring(ring) if ring else None)
        self.vm = self.guest.vm
        self.guest.vcpus.append(self.vm.create_vcpu(1, PML4))
        for vcpu in (0, 1):
            start = {"rsi": DATA, "rdi": DATA, "rdx": DATA | 0x1FFF8}
            self.guest.load(PROGRAM, at=code_base(vcpu), vcpu=vcpu, **start)
        self.waiting: dict[int, AnyExit] = {}

    def act(self, action: Action) -> Seen:
        """What can be seen of it; an errno where it is refused."""
        name, *arguments = action
        try:
            return getattr(self, str(name))(*arguments)
        except HypervisorError as refused:
            return refused.errno

    def run(self, vcpu: int, budget: int, answer: int) -> Seen:
        """Answer what waits, and run on: the exit is left to wait."""
        waits = self.waiting.pop(vcpu, None)
        if waits is not None:
            self.guest.vcpus[vcpu].resolve(waits, ANSWERS[answer])
        exit = self.guest.vcpus[vcpu].run(budget)
        self.waiting[vcpu] = exit
        return exit

    def write(self, page: int, value: int) -> None:
        self.guest.memory.write(DATA + page * PAGE_SIZE + 0xFFC, value.to_bytes(8, "little"))

    def patch(self, vcpu: int) -> None:
        """`add` becomes `sub` in the program, where a vCPU may have executed it."""
        self.guest.memory.write(code_base(vcpu) + 5, b"\xeb")

    def mask(self, page: int, count: int, rights: int) -> None:
        self.vm.set_mask(0, PageRange((DATA >> 12) + page, count), RIGHTS[rights])

    def move(self, megabytes: int, flags: int) -> None:
        self.vm.set_memory_region(Memslot(1, DATA + megabytes * MIB, 2 * MIB, 2 * MIB, flags))

    def delete(self) -> None:
        self.vm.set_memory_region(Memslot(1, DATA, 0, 2 * MIB))

    def harvest(self) -> bytes:
        return self.vm.get_dirty_log(1)

    def clear(self, first: int) -> None:
        self.vm.clear_dirty_log(1, first * 64, 64, b"\x0f" * 8)

    def manual(self, flags: int) -> None:
        self.vm.enable_manual_protect(flags)

    def drain(self, vcpu: int) -> Seen:
        return repr(self.guest.vcpus[vcpu].harvest_dirty_ring()).encode()

    def reset(self) -> int:
        return self.vm.reset_dirty_rings()

    def enter(self, vcpu: int, vtl: int) -> None:
        self.guest.vcpus[vcpu].enter_vtl(vtl)

    def all(self) -> Iterator[object]:
        """Everything there is to see, taken out."""
        yield bytes(self.vm.ram())
        yield self.vm.slots
        yield [self.vm.masks(vtl) for vtl in (0, 1)]
        yield self.act(("harvest",))
        yield [self.act(("drain", vcpu)) for vcpu in (0, 1)]
        for vcpu in self.guest.vcpus:
            yield vcpu.vtl, vcpu.instructions, vcpu.registers()

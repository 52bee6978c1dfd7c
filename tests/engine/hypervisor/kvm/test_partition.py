"""What a kvm vm promises beyond the common contract: under running vCPUs, and when a VTL's VM refuses."""

import errno
import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.abi.kvm import UserspaceMemoryRegion
from engine.hypervisor.contract.errors import HypervisorError, Unsupported
from engine.hypervisor.kvm.partition import KvmVm
from engine.hypervisor.kvm.system import KvmHypervisor
from engine.model.address import PageRange
from engine.model.exits import AnyExit, HltExit, MemoryExit, ProtectionExit, VoidExit
from engine.model.memslot import Memslot, SlotFlags
from engine.model.resolution import Complete, Resolution, Retry
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import MIB, Guest

PAGE = Guest.PAGE
OLD = 0x1111111111111111
STOP = 0x800
"""A byte in the system area that ends the guest's loop."""
ENOUGH = 30
"""Exits to see before a test of changes under a running vCPU may end."""


class Runner(threading.Thread):
    """The guest's vCPU in a thread of its own until HLT, and what it exited for."""

    def __init__(self, guest: Guest, answer: Callable[[AnyExit], Resolution]) -> None:
        super().__init__()
        self._guest, self._answer = guest, answer
        self.exits: list[AnyExit] = []
        self.last: AnyExit | None = None

    def load(self, body: str) -> None:
        """Code that does `body` on the page at rbx and counts in r12, until STOP."""
        source = f"again:\n{body}\ninc r12\ncmp byte ptr [rsi], 0\nje again\nhlt"
        self._guest.memory.write(STOP, b"\0")
        self._guest.memory.write(PAGE, bytes(8))
        self._guest.load(source, rbx=PAGE, rsp=PAGE + 0x800, rsi=STOP)

    def during(self, change: Callable[[], object]) -> int:
        """Start, change things again and again until enough exits were seen, stop; the rounds the guest has done."""
        self.start()
        while len(self.exits) < ENOUGH and self.is_alive():
            change()
            time.sleep(0.0005)
        self._guest.memory.write(STOP, b"\1")
        while self.is_alive():
            change()
            self.join(0.0005)
        assert isinstance(self.last, HltExit), self.last
        return self._guest.vcpu.registers().r12

    def run(self) -> None:
        vcpu = self._guest.vcpu
        while isinstance(exit := vcpu.run(), MemoryExit):
            self.exits.append(exit)
            vcpu.resolve(exit, self._answer(exit))
        self.last = exit


BODIES = {
    "inc": "inc qword ptr [rbx]",
    "lock inc": "lock inc qword ptr [rbx]",
    "xadd": "mov edx, 1\nxadd [rbx], rdx",
    "push pop": "push qword ptr [rbx]\npop rax\ninc rax\nmov [rbx], rax",
}


@pytest.mark.parametrize("body", BODIES)
def test_masks_change_under_a_running_vcpu_and_no_store_is_lost_or_doubled(guest: Guest, body: str) -> None:
    """The guest counts in a page while its mask goes RX, none, R, RWX; the denials are answered by turns."""
    turn = itertools.count()
    runner = Runner(guest, lambda _: Retry() if next(turn) % 3 else Complete())
    runner.load(BODIES[body])
    masks = itertools.cycle((Rights.RX, Rights.NONE, Rights.R, Rights.RWX))
    rounds = runner.during(lambda: guest.fence(next(masks)))
    assert {type(exit) for exit in runner.exits} == {ProtectionExit}
    assert guest.word() == rounds


@pytest.mark.parametrize("body", BODIES)
def test_a_slot_comes_and_goes_under_a_running_vcpu_and_no_store_is_lost(guest: Guest, body: str) -> None:
    """Accesses to the void are tried again until the slot is back; its RAM keeps what was written before."""
    slot = guest.vm.slots[1]

    def churn() -> None:
        guest.vm.set_memory_region(Memslot(1, 0, 0, 0))
        guest.vm.set_memory_region(slot)

    runner = Runner(guest, lambda _: Retry())
    runner.load(BODIES[body])
    rounds = runner.during(churn)
    assert {type(exit) for exit in runner.exits} == {VoidExit}
    assert guest.word() == rounds


def test_a_moving_slot_never_shows_a_fenced_page_open(guest: Guest) -> None:
    """PAGE is fenced; the slot moves to and fro, so that the fence passes over its RAM. No store gets through."""
    guest.fence(Rights.RX)
    slot = guest.vm.slots[1]
    bases = itertools.cycle((slot.base + 0x10000, slot.base))
    runner = Runner(guest, lambda exit: Complete(b"") if isinstance(exit, ProtectionExit) else Retry())
    runner.load("mov [rbx], rsi")
    rounds = runner.during(
        lambda: guest.vm.set_memory_region(Memslot(1, next(bases), slot.size, slot.offset, slot.flags))
    )
    guest.vm.set_memory_region(slot)
    assert len([exit for exit in runner.exits if isinstance(exit, ProtectionExit)]) == rounds
    assert bytes(guest.vm.ram()[slot.offset : slot.offset + 0x10008]) == bytes(0x10008)


def test_kicks_at_every_moment_are_seen_once_each(guest: Guest) -> None:
    guest.load("here: jmp here")
    for _ in range(200):
        thread = threading.Thread(target=guest.vcpu.run)
        thread.start()
        guest.vcpu.kick()
        thread.join(5)
        assert not thread.is_alive()


def test_a_refusal_by_the_second_vm_undoes_the_first(guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    """VTL1's VM already has an overlapping region of its own, so it answers EEXIST."""
    vm = guest.vm
    assert isinstance(vm, KvmVm)
    second = vm._space.vtls[1].vm
    region = UserspaceMemoryRegion(7, 0, 16 * MIB, 0x1000, vm._space.vtls[1]._views[0].address)
    second.set_user_memory_region(region, ("slot", 7, ""))
    new = Memslot(3, 16 * MIB, MIB, 0)
    with pytest.raises(HypervisorError) as refused:
        vm.set_memory_region(new)
    assert refused.value.errno == errno.EEXIST
    assert set(vm.slots) == {0, 1}
    second.set_user_memory_region(UserspaceMemoryRegion(7, 0, 16 * MIB, 0, 0), ("slot", 7, ""))
    vm.set_memory_region(new)


def test_aliases_of_the_same_ram_have_masks_of_their_own(guest: Guest) -> None:
    guest.vm.set_memory_region(Memslot(2, 5 * MIB, 2 * MIB, 2 * MIB, int(SlotFlags.LOG)))
    alias = PAGE - 2 * MIB + 5 * MIB
    guest.fence(Rights.RX)
    guest.load("mov [rbx], rdx\nmov [rcx], rdx\nhlt", rbx=PAGE, rcx=alias, rdx=5)
    exits = guest.drive(lambda _: Complete(b""))
    assert [exit.gpa for exit in exits if isinstance(exit, ProtectionExit)] == [PAGE]
    assert guest.word() == guest.word(alias) == 5


def test_what_cannot_be_enforced_is_refused_with_the_reason(guest: Guest) -> None:
    with pytest.raises(Unsupported) as refused:
        guest.vm.set_mask(0, PageRange.of(PAGE, 0x1000), Rights.RW)
    assert refused.value.reason == guest.vm.capabilities.mask_reason
    assert guest.vm.mask(0, PAGE >> 12) == Rights.RWX


def test_a_budget_of_instructions_is_not_to_be_had(guest: Guest) -> None:
    with pytest.raises(Unsupported):
        guest.vcpu.run(1000)


def test_closing_gives_every_descriptor_and_mapping_back(guest: Guest) -> None:
    def held() -> tuple[int, int]:
        maps = Path("/proc/self/maps").read_text()
        return len(list(Path("/proc/self/fd").iterdir())), maps.count("guest-ram") + maps.count("kvm-vcpu")

    before = held()
    hypervisor = KvmHypervisor()
    made = Guest(hypervisor)
    made.fence(Rights.RX)
    made.load("lock inc qword ptr [rbx]\nhlt", rbx=PAGE)
    made.drive()
    assert held() > before
    made.vm.close()
    hypervisor.close()
    assert held() == before

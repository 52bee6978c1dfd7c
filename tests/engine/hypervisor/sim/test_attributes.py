"""R, W and X attributes, as the selftest of the series of June 2024 has them: attributes by operation."""

import errno
from itertools import product

import pytest

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.contract.extensions import Attribute, MemoryAttributes
from engine.model.address import PAGE_SIZE, PageRange
from engine.model.exits import MmioExit, ProtectionExit, VoidExit
from engine.model.layout import MAX_RAM
from engine.model.memslot import Memslot, SlotFlags
from engine.model.resolution import Drop
from engine.model.rights import Access, Rights
from tests.engine.hypervisor.guest import MIB, Guest, facts

PAGE, VOID = Guest.PAGE, Guest.VOID
NR, NW, NX = Attribute.NR, Attribute.NW, Attribute.NX
ALLOWED = {
    0: {Access.READ, Access.WRITE, Access.EXECUTE},
    NW: {Access.READ, Access.EXECUTE},
    NX: {Access.READ, Access.WRITE},
    NW | NX: {Access.READ},
    NR | NW | NX: set[Access](),
}
CODE = {Access.READ: "mov rcx, [rbx]\nhlt", Access.WRITE: "mov [rbx], rax\nhlt", Access.EXECUTE: "jmp rbx"}
HLT = b"\xf4"


def attributes(guest: Guest) -> MemoryAttributes:
    return guest.vm.extension(MemoryAttributes)


def denied(guest: Guest, access: Access, gpa: int = PAGE) -> list[tuple[str, str, int]]:
    """Type, access and gpa of each exit when the guest makes the access, every one dropped."""
    guest.memory.write(gpa, HLT)
    guest.load(CODE[access], rbx=gpa)
    if access is Access.EXECUTE:
        exit = guest.vcpu.run()
        return [facts(exit)[:3]] if isinstance(exit, ProtectionExit) else []
    return [facts(exit)[:3] for exit in guest.drive(lambda _: Drop())]


@pytest.mark.parametrize("vtl", [0, 1])
@pytest.mark.parametrize(("given", "access"), list(product(ALLOWED, Access)), ids=str)
def test_attributes_by_operation(sim: Guest, given: int, access: Access, vtl: int) -> None:
    if vtl:
        sim.vcpu.enter_vtl(vtl)
    attributes(sim).set_memory_attributes(PAGE, PAGE_SIZE, given)
    expected = [] if access in ALLOWED[given] else [("ProtectionExit", str(access), PAGE)]
    assert denied(sim, access) == expected


def test_unrestricted_again(sim: Guest) -> None:
    for given in [NW, NX, NW | NX, NR | NW | NX]:
        attributes(sim).set_memory_attributes(PAGE, PAGE_SIZE, given)
        assert attributes(sim).memory_attributes(PAGE >> 12) == given
        attributes(sim).set_memory_attributes(PAGE, PAGE_SIZE, 0)
        assert attributes(sim).memory_attributes(PAGE >> 12) == 0
        assert [denied(sim, access) for access in (Access.READ, Access.WRITE)] == [[], []]
    assert denied(sim, Access.EXECUTE) == []


REFUSED = [
    ("flags", (PAGE, PAGE_SIZE, NW, 1)),
    ("size 0", (PAGE, 0, NW)),
    ("overflow", ((1 << 64) - PAGE_SIZE, 2 * PAGE_SIZE, NW)),
    ("address not aligned", (PAGE + 1, PAGE_SIZE, NW)),
    ("size not aligned", (PAGE, PAGE_SIZE + 1, NW)),
    ("negative address", (-PAGE_SIZE, PAGE_SIZE, NW)),
    ("beyond what rights can be set of", (MAX_RAM - PAGE_SIZE, 2 * PAGE_SIZE, NW)),
    ("write without read", (PAGE, PAGE_SIZE, NR | NX)),
    ("execute without read", (PAGE, PAGE_SIZE, NR | NW)),
    ("both without read", (PAGE, PAGE_SIZE, NR)),
    ("private", (PAGE, PAGE_SIZE, 8)),
    ("private and no write", (PAGE, PAGE_SIZE, 8 | NW)),
    ("negative attributes", (PAGE, PAGE_SIZE, -1)),
]


@pytest.mark.parametrize("arguments", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_refused(sim: Guest, arguments: tuple[int, ...]) -> None:
    with pytest.raises(HypervisorError) as refused:
        attributes(sim).set_memory_attributes(*arguments)
    assert refused.value.errno == errno.EINVAL
    assert attributes(sim).memory_attributes(PAGE >> 12) == 0
    assert denied(sim, Access.WRITE) == []


def test_attributes_stay_with_the_page_and_are_not_looked_at_where_there_is_no_memory(sim: Guest) -> None:
    attributes(sim).set_memory_attributes(VOID, PAGE_SIZE, NR | NW | NX)
    sim.load("mov rcx, [rbx]\nhlt", rbx=VOID)
    assert isinstance(sim.drive()[0], VoidExit)
    sim.vm.set_memory_region(Memslot(2, VOID, MIB, 4 * MIB))
    assert denied(sim, Access.READ, VOID) == [("ProtectionExit", "read", VOID)]
    sim.vm.set_memory_region(Memslot(2, VOID, 0, 4 * MIB))
    sim.vm.set_memory_region(Memslot(2, VOID, MIB, 4 * MIB, int(SlotFlags.READONLY)))
    sim.load("mov [rbx], rcx\nhlt", rbx=VOID)
    assert [type(exit) for exit in sim.drive()] == [ProtectionExit, MmioExit]


def test_the_exit_says_what_denied(sim: Guest) -> None:
    attributes(sim).set_memory_attributes(PAGE, PAGE_SIZE, NW)
    sim.load("mov [rbx], rax\nhlt", rbx=PAGE)
    (exit,) = sim.drive()
    assert "attributes" in exit.raw
    assert "mask" not in exit.raw
    sim.vm.set_mask(0, PageRange.of(PAGE, PAGE_SIZE), Rights.R)
    sim.load("mov [rbx], rax\nhlt", rbx=PAGE)
    (exit,) = sim.drive()
    assert "attributes" in exit.raw
    assert "mask" in exit.raw

"""The VM-wide permission bitmap that the kernel list proposed in October 2022."""

import errno

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.contract.extensions import Attribute, MemoryAttributes, PermissionBitmap
from engine.hypervisor.sim.partition import SimHypervisor
from engine.hypervisor.sim.space import Space
from engine.model.address import PAGE_SIZE, PageRange
from engine.model.exits import HltExit, ProtectionExit
from engine.model.layout import MAX_RAM
from engine.model.page_set import PageSet
from engine.model.resolution import Complete, Drop, Retry
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import Guest, facts

PAGE = Guest.PAGE
ONE = PageRange.of(PAGE, PAGE_SIZE)
X = Rights.KX | Rights.UX


def bitmap(guest: Guest) -> PermissionBitmap:
    return guest.vm.extension(PermissionBitmap)


@pytest.mark.parametrize("vtl", [0, 1])
def test_permissions_bind_every_vtl(sim: Guest, vtl: int) -> None:
    bitmap(sim).set_permissions(ONE, Rights.RX)
    assert bitmap(sim).permissions(ONE.first) == Rights.RX
    assert sim.vm.masks(vtl) == []
    sim.vcpu.enter_vtl(vtl)
    sim.load("mov rcx, [rbx]\nmov [rbx], rax\nhlt", rbx=PAGE)
    (exit,) = sim.drive(lambda _: Drop())
    assert facts(exit) == ("ProtectionExit", "write", PAGE, 8)
    assert "permissions" in exit.raw
    bitmap(sim).set_permissions(ONE, Rights.RWX)
    sim.load("mov [rbx], rax\nhlt", rbx=PAGE)
    assert sim.drive() == []


def test_a_page_may_be_executed_and_not_read(sim: Guest) -> None:
    bitmap(sim).set_permissions(ONE, X)
    sim.load("inc rcx\nmov rdx, [rip]\nhlt", at=PAGE)
    exit = sim.vcpu.run()
    assert facts(exit)[:2] == ("ProtectionExit", "read")
    sim.vcpu.resolve(exit, Complete(b"\x07" * 8))
    assert isinstance(sim.vcpu.run(), HltExit)
    registers = sim.vcpu.registers()
    assert (registers.rcx, registers.rdx) == (1, 0x0707070707070707)


def test_they_do_not_bind_the_vmm(sim: Guest) -> None:
    bitmap(sim).set_permissions(ONE, Rights.NONE)
    sim.memory.write(PAGE, b"outside KVM_RUN")
    assert sim.memory.read(PAGE, 15) == b"outside KVM_RUN"
    assert PAGE in sim.dirty()


def test_a_denied_store_can_be_completed_and_asks_again_next_time(sim: Guest) -> None:
    bitmap(sim).set_permissions(ONE, Rights.R)
    sim.load("mov [rbx], rax\nmov [rbx], rdx\nhlt", rbx=PAGE, rax=1, rdx=2)
    assert [type(exit) for exit in sim.drive()] == [ProtectionExit, ProtectionExit]
    assert sim.word() == 2


def test_lifting_the_mask_does_not_lift_them(sim: Guest) -> None:
    sim.vm.set_mask(0, ONE, Rights.R)
    bitmap(sim).set_permissions(ONE, Rights.R)
    sim.load("mov [rbx], rax\nhlt", rbx=PAGE, rax=1)
    for _ in range(3):
        exit = sim.vcpu.run()
        assert isinstance(exit, ProtectionExit)
        sim.vm.set_mask(0, ONE, Rights.RWX)
        sim.vcpu.resolve(exit, Retry())
    bitmap(sim).set_permissions(ONE, Rights.RW)
    assert sim.drive() == []
    assert sim.word() == 1


@pytest.mark.parametrize("rights", [Rights.W, Rights.W | X, Rights.R | Rights.KX, Rights.R | Rights.UX])
def test_rights_that_are_refused(sim: Guest, rights: Rights) -> None:
    with pytest.raises(HypervisorError) as refused:
        bitmap(sim).set_permissions(ONE, rights)
    assert refused.value.errno == errno.EINVAL
    assert bitmap(sim).permissions(ONE.first) == Rights.RWX


@pytest.mark.parametrize("pages", [PageRange(-1, 2), PageRange(0, -1), PageSet([0, MAX_RAM >> 12])])
def test_pages_that_are_refused(sim: Guest, pages: PageRange | PageSet) -> None:
    with pytest.raises(HypervisorError) as refused:
        bitmap(sim).set_permissions(pages, Rights.R)
    assert refused.value.errno == errno.EINVAL
    assert bitmap(sim).permissions(0) == Rights.RWX


rights = st.sampled_from([Rights.NONE, Rights.R, Rights.RW, Rights.RX, Rights.RWX])
steps = st.lists(
    st.tuples(st.sampled_from(["mask", "permissions", "attributes"]), st.sets(st.integers(0, 30)), rights), max_size=10
)


@settings(deadline=None)
@given(before=steps, after=steps)
def test_what_is_left_is_what_all_three_leave_and_can_be_taken_back(
    before: list[tuple[str, set[int], Rights]], after: list[tuple[str, set[int], Rights]]
) -> None:
    space = Space(1 << 20, 2)
    left = {(vtl, name, gfn): Rights.RWX for vtl in (0, 1) for name in NAMES for gfn in range(31)}
    for step in before:
        take(space, left, step)
    state = space.state()
    for step in after:
        take(space, {}, step)
    space.restore(state)
    for vtl, gfn in ((vtl, gfn) for vtl in (0, 1) for gfn in range(31)):
        one, two, three = (left[vtl, name, gfn] for name in NAMES)
        assert space.allowed(vtl, gfn) == one & two & three


NAMES = ("mask", "permissions", "attributes")


def take(space: Space, left: dict[tuple[int, str, int], Rights], step: tuple[str, set[int], Rights]) -> None:
    name, gfns, value = step
    if name == "mask":
        space.set_mask(0, PageSet(gfns), value)
    else:
        space.set_wide(name, PageSet(gfns), int(value))
    left |= {(vtl, name, gfn): value for vtl in ((0,) if name == "mask" else (0, 1)) for gfn in gfns}


def test_two_vms_have_nothing_in_common(sim: Guest) -> None:
    other = SimHypervisor().create_vm(1 << 20)
    other.extension(PermissionBitmap).set_permissions(ONE, Rights.NONE)
    other.extension(MemoryAttributes).set_memory_attributes(PAGE, PAGE_SIZE, Attribute.NW)
    sim.load("mov [rbx], rax\nhlt", rbx=PAGE)
    assert sim.drive() == []
    other.close()

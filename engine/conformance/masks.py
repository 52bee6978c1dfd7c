"""Masks: each of the sixteen values on a page, and what VTL0 and VTL1 may then do; registers of each VTL."""

import errno

from engine.conformance.check import Body, Subject, answers, equal
from engine.conformance.guest import Factory, Guest
from engine.model.address import PAGE_SIZE, PageRange
from engine.model.exits import ProtectionExit
from engine.model.rights import Access, Rights, is_valid_mask, rights_text

MASKS = Subject("masks")
VTLS = Subject("vtls")
_TLFS = "TLFS, HvCallModifyVtlProtectionMask"
_VSM = "TLFS, Virtual Secure Mode: VTL state isolation"
_PAGE = Guest.PAGE
_TOUCH = "mov rcx, [rbx+0x100]\nmov [rbx+0x100], rax\ncall rbx\nhlt"


def _enforced(rights: Rights) -> Body:
    """Loads from the page, stores to it, and runs a RET in it."""
    denied = [str(access) for access in (Access.READ, Access.WRITE, Access.EXECUTE) if not rights & access.needs]

    def body(make: Factory) -> None:
        guest = make.guest()
        guest.load("ret", at=_PAGE)
        guest.fence(rights)
        guest.load(_TOUCH, rbx=_PAGE)
        equal(
            [str(e.access) for e in guest.drive() if isinstance(e, ProtectionExit)], [str(a) for a in denied], "denied"
        )

    return body


def _invalid(rights: Rights) -> Body:
    def body(make: Factory) -> None:
        vm = make.guest().vm
        answers(lambda: vm.set_mask(0, PageRange.of(_PAGE, PAGE_SIZE), rights), errno.EINVAL)
        equal(vm.mask(0, _PAGE // PAGE_SIZE), Rights.RWX, "the mask afterwards")

    return body


for _value in range(16):
    _mask = Rights(_value)
    if is_valid_mask(_mask):
        _says = f"Under mask {rights_text(_mask)} a load, a store and a fetch are denied where their right is missing"
        MASKS.add(rights_text(_mask), _says, _TLFS, _enforced(_mask))
    else:
        _says = f"Mask {rights_text(_mask)} is refused with EINVAL: TLFS has no such mask without MBEC"
        MASKS.add(rights_text(_mask), _says, _TLFS, _invalid(_mask))


@MASKS.check("whose", _TLFS)
def _whose(make: Factory) -> None:
    """The highest VTL's mask, and that of a VTL which is not there, is refused with EINVAL."""
    vm = make.guest().vm
    for vtl in (1, 2, -1):
        answers(lambda vtl=vtl: vm.set_mask(vtl, PageRange.of(_PAGE, PAGE_SIZE), Rights.RX), errno.EINVAL)


@MASKS.check("lifted at once", _TLFS)
def _lifted(make: Factory) -> None:
    """Setting and lifting a mask is seen by the vCPU's next instruction."""
    guest = make.guest()
    for rights, exits in ((Rights.RX, 1), (Rights.RWX, 0), (Rights.NONE, 1), (Rights.RWX, 0)):
        guest.fence(rights)
        guest.load("mov [rbx], rax\nhlt", rbx=_PAGE)
        equal(len(guest.drive()), exits, f"exits under {rights_text(rights)}")


@MASKS.check("the VMM", "engine/hypervisor/contract/protocols.py, GuestMemory")
def _vmm(make: Factory) -> None:
    """Masks do not bind the VMM's own accesses."""
    guest = make.guest()
    guest.fence(Rights.NONE)
    guest.memory.write(_PAGE, b"through")
    equal(guest.memory.read(_PAGE, 7), b"through", "read back")


@VTLS.check("not bound", _TLFS)
def _not_bound(make: Factory) -> None:
    """VTL1 writes to a page that VTL0 may not touch at all."""
    guest = make.guest()
    guest.fence(Rights.NONE)
    guest.vcpu.enter_vtl(1)
    guest.load("mov [rbx], rax\nhlt", rbx=_PAGE, rax=1)
    equal(guest.drive(), [], "exits")
    equal(guest.word(), 1, "the word in the page")


@VTLS.check("registers apart", _VSM)
def _registers(make: Factory) -> None:
    """Each VTL has registers of its own, kept while the vCPU executes in the other."""
    guest = make.guest()
    guest.load("hlt", r12=12)
    guest.vcpu.enter_vtl(1)
    guest.load("mov r12, 34\nhlt", r12=0)
    guest.drive()
    guest.vcpu.enter_vtl(0)
    equal(guest.vcpu.registers().r12, 12, "VTL0's R12")
    guest.vcpu.enter_vtl(1)
    equal(guest.vcpu.registers().r12, 34, "VTL1's R12")


@VTLS.check("not there", _VSM)
def _not_there(make: Factory) -> None:
    """A VTL that the vm does not have cannot be entered: EINVAL."""
    vcpu = make.guest().vcpu
    answers(lambda: vcpu.enter_vtl(2), errno.EINVAL)

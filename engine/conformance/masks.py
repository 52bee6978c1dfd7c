"""Masks: each of the sixteen values on a page, and what VTL0 and VTL1 may then do; registers of each VTL."""

import errno

from engine.conformance import ring_3
from engine.conformance.check import Body, Subject, answers, equal
from engine.conformance.guest import Factory, Guest
from engine.hypervisor.contract.extensions import ModeBasedExecution
from engine.model.address import PAGE_SIZE, PageRange
from engine.model.exits import HltExit, ProtectionExit
from engine.model.rights import Rights, is_valid_mask, rights_text

MASKS = Subject("masks")
VTLS = Subject("vtls")
_TLFS = "TLFS, HvCallModifyVtlProtectionMask"
_VSM = "TLFS, Virtual Secure Mode: VTL state isolation"
_PAGE, _RET = Guest.PAGE, b"\xc3"
_ACCESSES = {
    "read": ("mov rcx, [rcx+0x100]", False),
    "write": ("mov [rcx+0x100], rax", False),
    "kernel execute": ("call rcx", False),
    "user execute": ("call rcx", True),
}
"""By whom they are: code, and whether it is in ring 3. In the page is a RET."""


def _enforced(rights: Rights, mbec: bool = False) -> Body:
    """Each kind of access, in a guest of its own."""

    def body(make: Factory) -> None:
        found = [name for name, (code, user) in _ACCESSES.items() if _denies(make, rights, mbec, code, user)]
        equal(found, _missing(rights, mbec), "denied")

    return body


def _missing(rights: Rights, mbec: bool) -> list[str]:
    """TLFS, Mode Based Execute Control: disabled, "this setting is ignored" says it of UX."""
    user = Rights.UX if mbec else Rights.KX
    needs = dict(zip(_ACCESSES, (Rights.R, Rights.W, Rights.KX, user), strict=True))
    return [name for name, right in needs.items() if not rights & right]


def _denies(make: Factory, rights: Rights, mbec: bool, code: str, user: bool) -> bool:
    """Whether the code has a protection exit, of whatever it does first."""
    guest = make.guest()
    guest.memory.write(_PAGE, _RET)
    guest.fence(rights)
    if mbec:
        guest.vm.extension(ModeBasedExecution).set_mbec(0, 0, on=True)
    if user:
        ring_3.begin(guest, f"{code}\nud2", rcx=_PAGE)
    else:
        guest.load(f"{code}\nhlt", rcx=_PAGE)
    exit = guest.vcpu.run()
    equal(type(exit) in (ProtectionExit, HltExit), True, f"a protection exit or the end ({exit})")
    return isinstance(exit, ProtectionExit)


def _invalid(rights: Rights) -> Body:
    def body(make: Factory) -> None:
        vm = make.guest().vm
        answers(lambda: vm.set_mask(0, PageRange.of(_PAGE, PAGE_SIZE), rights), errno.EINVAL)
        equal(vm.mask(0, _PAGE // PAGE_SIZE), Rights.RWX, "the mask afterwards")

    return body


def _add(rights: Rights) -> None:
    text = rights_text(rights)
    if not is_valid_mask(rights, mbec=True):
        says = f"Mask {text} is refused with EINVAL: W and X need R, and KX needs UX"
        MASKS.add(text, says, _TLFS, _invalid(rights))
        return
    says = f"Under mask {text} a load, a store and a fetch are denied where their right is missing; KX is for all rings"
    MASKS.add(text, says, _TLFS, _enforced(rights))
    says = f"Under mask {text}, with MBEC, ring 0 executes by KX and ring 3 by UX"
    MASKS.add(f"{text} with MBEC", says, f"{_TLFS}; Mode Based Execute Control", _enforced(rights, mbec=True))


for _value in range(16):
    _add(Rights(_value))


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

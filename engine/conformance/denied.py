"""Denied accesses: how they exit, what each answer makes of them, and that a retried one happens once."""

from engine.conformance.check import Body, Subject, equal
from engine.conformance.guest import Factory, Guest
from engine.conformance.instructions import LOADS, OLD, STORES, VALUE, Case
from engine.model.address import PAGE_SIZE
from engine.model.exits import AnyExit, MemoryExit, ProtectionExit
from engine.model.layout import code_base
from engine.model.resolution import Complete, Drop, Retry
from engine.model.rights import Rights

DENIED = Subject("denied")
ONCE = Subject("once")
_TLFS = "TLFS, Virtual Secure Mode: Memory Access Protections"
_CONTRACT = "engine/hypervisor/contract/protocols.py, Vcpu.resolve"
_PAGE = Guest.PAGE
_DONE = 0x77


def _start(make: Factory, rights: Rights, assembly: str) -> Guest:
    guest = make.guest()
    guest.fence(rights)
    guest.load(f"{assembly}\nmov r15d, {_DONE:#x}\nhlt", rbx=_PAGE, rdi=_PAGE, rax=VALUE)
    return guest


def _shape(exits: list[AnyExit]) -> list[tuple[str, int, int]]:
    return [(str(e.access), e.gpa - _PAGE, e.size) for e in exits if isinstance(e, ProtectionExit)]


def _completed(case: Case, rights: Rights) -> Body:
    def body(make: Factory) -> None:
        guest = _start(make, rights, case.assembly)
        exits = guest.drive()
        equal(_shape(exits), case.accesses, "denied accesses")
        equal(len(exits), len(case.accesses), "exits")
        equal(guest.word(), case.after, "the word in the page")
        equal(guest.vcpu.registers().r15, _DONE, "R15, set behind it")

    return body


def _once(case: Case) -> Body:
    def body(make: Factory) -> None:
        guest = _start(make, Rights.RX, case.assembly)

        def relax(_: AnyExit) -> Retry:
            guest.fence(Rights.RWX)
            return Retry()

        equal(_shape(guest.drive(relax)), case.accesses[:1], "denied accesses")
        equal(guest.word(), case.after, "the word in the page")
        equal(guest.vcpu.registers().r15, _DONE, "R15, set behind it")
        equal(_PAGE in guest.dirty(), True, "the page is in the dirty log")

    return body


for _case in STORES:
    DENIED.add(f"store {_case.name}", f"A denied store by {_case.name} exits, and completing it lands it once", _TLFS,
               _completed(_case, Rights.RX))  # fmt: skip
for _case in LOADS:
    DENIED.add(f"all {_case.name}", f"Where everything is denied, {_case.name} exits as what it does", _TLFS,
               _completed(_case, Rights.NONE))  # fmt: skip
for _case in STORES:
    ONCE.add(_case.name, f"A denied {_case.name} that is retried after relaxing the mask happens exactly once",
             _CONTRACT, _once(_case))  # fmt: skip


@DENIED.check("fields", "engine/model/exits.py, ProtectionExit; TLFS, memory intercept message")
def _fields(make: Factory) -> None:
    """A denied store tells vCPU, VTL, address, bytes and text of the instruction, gpa, gva, access, size and data."""
    guest = _start(make, Rights.RX, "mov [rbx+8], rax")
    exit = guest.vcpu.run()
    assert isinstance(exit, ProtectionExit), exit
    equal((exit.vcpu, exit.vtl, exit.rip), (0, 0, code_base(0)), "vCPU, VTL and RIP")
    equal((exit.gpa, exit.gva, str(exit.access), exit.size), (_PAGE + 8, _PAGE + 8, "write", 8), "the access")
    equal((exit.code.hex(), exit.data), ("48894308", VALUE.to_bytes(8, "little")), "the instruction's bytes and data")
    equal(exit.text.startswith("mov [rbx"), True, f"the instruction's text ({exit.text!r})")


@DENIED.check("fetch", _TLFS)
def _fetch(make: Factory) -> None:
    """A denied fetch exits at the instruction's own address, and completing it executes one instruction."""
    guest = make.guest()
    guest.fence(Rights.NONE)
    guest.load("inc rcx\ninc rcx\nret", at=_PAGE)
    guest.load("call rbx\nhlt", rbx=_PAGE)
    equal(_shape(guest.drive()), [("execute", n, 0) for n in (0, 3, 6)], "denied fetches")
    equal(guest.vcpu.registers().rcx, 2, "RCX")


@DENIED.check("dropped store", _CONTRACT)
def _dropped_store(make: Factory) -> None:
    """A dropped store vanishes: RAM and the dirty log are as before."""
    guest = _start(make, Rights.RX, "inc qword ptr [rbx]")
    guest.drive(lambda _: Drop())
    equal(guest.memory.read(_PAGE, PAGE_SIZE) == b"\x11" * PAGE_SIZE, True, "the page is as it was")
    equal(guest.dirty(), set[int](), "the dirty log")


@DENIED.check("dropped load", _CONTRACT)
def _dropped_load(make: Factory) -> None:
    """A dropped load gets all ones."""
    guest = _start(make, Rights.NONE, "mov rcx, [rbx]")
    guest.drive(lambda _: Drop())
    equal(guest.vcpu.registers().rcx, (1 << 64) - 1, "RCX")


@DENIED.check("load that is given", _CONTRACT)
def _given_load(make: Factory) -> None:
    """A load that is completed with bytes gets those, and RAM's without."""
    for given, wanted in ((None, OLD), (VALUE.to_bytes(8, "little"), VALUE)):
        guest = _start(make, Rights.NONE, "mov rcx, [rbx]")
        guest.drive(lambda _, given=given: Complete(given))
        equal(guest.vcpu.registers().rcx, wanted, "RCX")


@DENIED.check("retried in vain", _CONTRACT)
def _in_vain(make: Factory) -> None:
    """Retried while the mask is as it was, the instruction is denied again, and nothing has happened."""
    guest = _start(make, Rights.RX, "inc qword ptr [rbx]")
    given = iter([Retry(), Retry(), Complete()])
    equal(_shape(guest.drive(lambda _: next(given))), [("write", 0, 8)] * 3, "denied accesses")
    equal(guest.word(), OLD + 1, "the word in the page")


@DENIED.check("before the answer", "TLFS, memory intercept message: RIP of the instruction")
def _before(make: Factory) -> None:
    """Until it is answered, RIP is at the denied instruction and memory is as it was."""
    guest = _start(make, Rights.RX, "inc qword ptr [rbx]")
    exit = guest.vcpu.run()
    assert isinstance(exit, MemoryExit), exit
    equal((exit.rip, guest.vcpu.registers().rip), (code_base(0), code_base(0)), "RIP of the exit and of the vCPU")
    equal(guest.word(), OLD, "the word in the page")

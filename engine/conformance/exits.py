"""Exits: what a vCPU leaves the guest with, and how it goes on."""

import threading

from engine.conformance.check import Subject, equal
from engine.conformance.errnos import READONLY
from engine.conformance.guest import MIB, Factory, Guest
from engine.conformance.instructions import OLD, VALUE
from engine.machine.hypercalls import answer_call
from engine.machine.vsm_state import Vsm
from engine.model.exits import (
    AnyExit,
    HltExit,
    HypercallExit,
    InternalError,
    Interrupted,
    IoExit,
    MemoryExit,
    MmioExit,
    ShutdownExit,
    VoidExit,
)
from engine.model.layout import HYPERCALL_PAGE, code_base
from engine.model.memslot import Memslot
from engine.model.resolution import Complete, Drop
from engine.x86.hypercall_page import page_bytes

EXITS = Subject("exits")
_IO, _MMIO, _RUN = "api.rst 5, KVM_EXIT_IO", "api.rst 5, KVM_EXIT_MMIO", "api.rst 4.10, KVM_RUN"
_VOID = Guest.VOID
_KICKS = 50
"""So many may come before the guest has executed anything, on a host with more to do than it can."""


def _facts(exit: AnyExit) -> tuple[type, str, int, int, bytes | None]:
    assert isinstance(exit, MemoryExit), exit
    return type(exit), str(exit.access), exit.gpa, exit.size, exit.data


@EXITS.check("out", _IO)
def _out(make: Factory) -> None:
    """OUT exits with port, size and data, at its own address, and goes on behind it."""
    guest = make.guest()
    guest.load("inc rbx\nout 0x10, al\ninc rbx\nhlt", rax=VALUE)
    (exit,) = guest.drive()
    assert isinstance(exit, IoExit), exit
    equal((exit.port, exit.size, exit.data, exit.rip), (0x10, 1, b"\x11", code_base(0) + 3), "the exit")
    equal(guest.vcpu.registers().rbx, 2, "what was executed around it")


@EXITS.check("in", _IO)
def _in(make: Factory) -> None:
    """IN exits with port and size, and gets what it is given; dropped, it gets all ones."""
    guest = make.guest()
    guest.load("in eax, 0x20\nmov ebx, eax\nin al, 0x21\nhlt")
    given = iter([Complete(b"\x04\x03\x02\x01"), Drop()])
    exits = guest.drive(lambda _: next(given))
    equal(
        [(e.port, e.size, e.data) for e in exits if isinstance(e, IoExit)], [(0x20, 4, None), (0x21, 1, None)], "exits"
    )
    equal((guest.vcpu.registers().rbx, guest.vcpu.registers().rax), (0x01020304, 0x010203FF), "RBX and RAX")


@EXITS.check("finished by the next run", "api.rst 5: completed when user space re-enters with KVM_RUN")
def _settled(make: Factory) -> None:
    """An answered operation is finished without executing further when the VMM settles it."""
    guest = make.guest()
    guest.load("out 0x10, al\ninc rbx\nhlt")
    exit = guest.vcpu.run()
    guest.vcpu.resolve(exit, Complete())
    guest.vcpu.settle()
    registers = guest.vcpu.registers()
    equal((registers.rip, registers.rbx), (code_base(0) + 2, 0), "RIP behind the OUT, and RBX")


@EXITS.check("mmio", "api.rst 4.35, KVM_MEM_READONLY")
def _mmio(make: Factory) -> None:
    """A store to a read-only slot exits as mmio with its data, and RAM stays as it is."""
    guest = make.guest()
    guest.vm.set_memory_region(Memslot(2, _VOID, MIB, 4 * MIB, READONLY))
    guest.memory.write(_VOID, OLD.to_bytes(8, "little"))
    guest.load("mov [rbx], rax\nhlt", rbx=_VOID, rax=VALUE)
    equal([_facts(e) for e in guest.drive()], [(MmioExit, "write", _VOID, 8, VALUE.to_bytes(8, "little"))], "exits")
    equal(guest.word(_VOID), OLD, "RAM")


@EXITS.check("mmio crossing", "api.rst 5: at most 8 bytes a fragment, within one page")
def _mmio_crossing(make: Factory) -> None:
    """A store across two read-only pages exits twice, a fragment a page."""
    guest = make.guest()
    guest.vm.set_memory_region(Memslot(2, _VOID, MIB, 4 * MIB, READONLY))
    guest.load("mov [rbx], rax\nhlt", rbx=_VOID + 0xFFD, rax=VALUE)
    data = VALUE.to_bytes(8, "little")
    wanted = [(MmioExit, "write", _VOID + 0xFFD, 3, data[:3]), (MmioExit, "write", _VOID + 0x1000, 5, data[3:])]
    equal([_facts(e) for e in guest.drive()], wanted, "exits")


@EXITS.check("void", _MMIO)
def _void(make: Factory) -> None:
    """A load where no slot is gets what it is given; a store there is told with its data."""
    guest = make.guest()
    guest.load("mov rcx, [rbx]\nmov [rbx+0x10], rax\nhlt", rbx=_VOID, rax=VALUE)
    data = VALUE.to_bytes(8, "little")
    exits = guest.drive(lambda _: Complete(data))
    wanted = [(VoidExit, "read", _VOID, 8, None), (VoidExit, "write", _VOID + 0x10, 8, data)]
    equal([_facts(e) for e in exits], wanted, "exits")
    equal(guest.vcpu.registers().rcx, VALUE, "loaded")


@EXITS.check("void dropped", _MMIO)
def _void_dropped(make: Factory) -> None:
    """A load where no slot is, dropped, gets all ones."""
    guest = make.guest()
    guest.load("mov ecx, [rbx]\nhlt", rbx=_VOID)
    guest.drive(lambda _: Drop())
    equal(guest.vcpu.registers().rcx, 0xFFFFFFFF, "loaded")


@EXITS.check("void fetch", "api.rst 5, KVM_EXIT_INTERNAL_ERROR")
def _void_fetch(make: Factory) -> None:
    """A fetch where no slot is is an internal error, with the hypervisor's numbers."""
    guest = make.guest()
    guest.load("jmp rbx", rbx=_VOID)
    exit = guest.vcpu.run()
    equal(isinstance(exit, InternalError) and bool(exit.facts), True, f"internal error with facts ({exit})")


@EXITS.check("hlt", "api.rst 5, KVM_EXIT_HLT")
def _hlt(make: Factory) -> None:
    """HLT exits with RIP behind it, and the next run goes on there."""
    guest = make.guest()
    guest.load("hlt\ninc rbx\nhlt")
    exit = guest.vcpu.run()
    equal((type(exit), exit.rip), (HltExit, code_base(0) + 1), "the exit")
    equal(isinstance(guest.vcpu.run(), HltExit), True, "the second HLT")
    equal(guest.vcpu.registers().rbx, 1, "what was executed between")


@EXITS.check("shutdown", "SDM Vol. 3, 6.15: an exception that cannot be delivered; api.rst 5, KVM_EXIT_SHUTDOWN")
def _shutdown(make: Factory) -> None:
    """An exception in a guest without an IDT is a triple fault."""
    for instruction in ("ud2", "mov rax, [rbx]", "div edx"):
        guest = make.guest()
        guest.load(instruction, rbx=1 << 40)
        equal(type(guest.vcpu.run()), ShutdownExit, instruction)


@EXITS.check("kicked", "api.rst 5, immediate_exit; KVM_RUN: EINTR")
def _kicked(make: Factory) -> None:
    """A kick brings a vCPU out that would go on for ever; what it executed stays."""
    guest = make.guest()
    guest.load("spin: inc rbx\njmp spin")
    for _ in range(_KICKS):
        timer = threading.Timer(0.02, guest.vcpu.kick)
        timer.start()
        exit = guest.vcpu.run()
        timer.join()
        equal(type(exit), Interrupted, "the exit")
        if guest.vcpu.registers().rbx:
            break
    equal(guest.vcpu.registers().rbx > 0, True, "it had run")


@EXITS.check("kicked before", "api.rst 5, immediate_exit")
def _kicked_before(make: Factory) -> None:
    """A kick before the run counts: it returns at once, and nothing is executed."""
    guest = make.guest()
    guest.load("inc rbx\nhlt")
    guest.vcpu.kick()
    equal(type(guest.vcpu.run()), Interrupted, "the first run")
    equal(guest.vcpu.registers().rbx, 0, "RBX")
    equal(guest.drive(), [], "exits of the second run")


@EXITS.check("hypercall", "TLFS, Hypercall Interface: the hypercall page")
def _hypercall(make: Factory) -> None:
    """A call through the hypercall page tells RCX, RDX and R8, and an unknown one gets status 2 in RAX."""
    guest = make.guest()
    guest.memory.write(HYPERCALL_PAGE, page_bytes())
    guest.load("call rbx\nhlt", rbx=HYPERCALL_PAGE, rcx=0x999, rdx=1, r8=2)
    exit = guest.vcpu.run()
    assert isinstance(exit, IoExit), exit
    (_, taken), *_ = answer_call(guest.vm, Vsm(guest.vm, [guest.vcpu], "tlfs"), guest.vcpu, exit, MIB).logged
    call = taken["exit"]
    assert isinstance(call, HypercallExit)
    equal((call.input, call.rdx, call.r8), (0x999, 1, 2), "the call")
    equal(guest.drive(), [], "exits after it")
    equal(guest.vcpu.registers().rax, 2, "HV_STATUS_INVALID_HYPERCALL_CODE in RAX")

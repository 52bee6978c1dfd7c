"""What enters the guest instead of leaving it: exceptions, its own and injected ones; MSRs, CPUID, single steps."""

import errno

import msgspec

from engine.conformance.check import Body, Subject, answers, equal
from engine.conformance.guest import Factory, Guest
from engine.conformance.handlers import TAKE_FRAME, handle, handler_of
from engine.conformance.instructions import OLD
from engine.hypervisor.contract.capabilities import Capabilities
from engine.hypervisor.contract.errors import Unsupported
from engine.hypervisor.contract.vectors import (
    DIVIDE_ERROR,
    DOUBLE_FAULT,
    GENERAL_PROTECTION,
    INVALID_OPCODE,
    PAGE_FAULT,
)
from engine.model.cpuid import CpuidLeaf
from engine.model.exits import HltExit, Interrupted, MsrExit, ProtectionExit
from engine.model.layout import code_base
from engine.model.resolution import Complete, Inject
from engine.model.rights import Rights

EXCEPTIONS = Subject("exceptions")
_SDM = "SDM Vol. 3, 6.14: exception handling in 64-bit mode"
_EVENTS = "KVM_SET_VCPU_EVENTS; SDM Vol. 3, 6.15"
_MSR = "api.rst 5, KVM_EXIT_X86_RDMSR and WRMSR"
_START = code_base(0)
BEYOND, CROOKED = 1 << 32, 1 << 63
"""In RBX and RDX: not mapped by the guest's page tables, the first such address; not canonical."""
_UNKNOWN = 0x12345


class Fault(msgspec.Struct, frozen=True):
    """`at`: offset of the instruction that provokes `vector`; `cr2` where it is a page fault; `modifies`: it loads what
    it is to store."""

    name: str
    assembly: str
    vector: int
    error_code: int | None = None
    at: int = 0
    cr2: int | None = None
    modifies: bool = False


FAULTS = (
    Fault("invalid opcode", "nop\nud2", INVALID_OPCODE, at=1),
    Fault("divide by zero", "xor ecx, ecx\ndiv ecx", DIVIDE_ERROR, at=2),
    Fault("address not canonical", "mov rcx, [rdx]", GENERAL_PROTECTION, 0),
    Fault("load not mapped", "mov rcx, [rbx]", PAGE_FAULT, 0, cr2=BEYOND),
    Fault("store not mapped", "mov [rbx+8], rcx", PAGE_FAULT, 2, cr2=BEYOND + 8),
    Fault("locked store not mapped", "lock inc qword ptr [rbx]", PAGE_FAULT, 2, cr2=BEYOND, modifies=True),
)


def faults_as_write(host: Capabilities, code: int) -> None:
    """A load that is to be stored back faults as the write (SDM Vol. 3, 4.7).

    Unsupported where the processor itself answers otherwise: KVM that lets it execute the guest has no part in this.
    """
    if host.denies_whole and code == 0:
        reason = "the processor under this KVM faults as the load that comes first; one that QEMU emulates does"
        raise Unsupported("the error code of a load that is to be stored back", reason)


def _delivered(fault: Fault) -> Body:
    def body(make: Factory) -> None:
        guest = make.guest()
        handle(guest, {fault.vector: f"{TAKE_FRAME}hlt"})
        guest.load(f"{fault.assembly}\nhlt", rbx=BEYOND, rdx=CROOKED)
        equal(guest.drive(), [], "exits")
        found = guest.vcpu.registers()
        equal(found.rip > handler_of(fault.vector), True, "it halted in the handler")
        if fault.modifies:
            faults_as_write(guest.vm.capabilities, found.r8)
        code = [] if fault.error_code is None else [fault.error_code]
        equal([found.r8, found.r9][: 1 + len(code)], [*code, _START + fault.at], "error code and RIP in the frame")
        if fault.cr2 is not None:
            equal(found.r13, fault.cr2, "CR2")

    return body


for _fault in FAULTS:
    _says = f"{_fault.name.capitalize()}: the guest's own handler is entered, with address and error code in its frame"
    EXCEPTIONS.add(_fault.name, _says, _SDM, _delivered(_fault))


@EXCEPTIONS.check("double fault", "SDM Vol. 3, 6.15, Interrupt 8")
def _double_fault(make: Factory) -> None:
    """An exception without a gate is a double fault, with error code 0."""
    guest = make.guest()
    handle(guest, {DOUBLE_FAULT: f"{TAKE_FRAME}hlt"})
    guest.load("nop\nud2")
    equal(guest.drive(), [], "exits")
    equal((guest.vcpu.registers().r8, guest.vcpu.registers().r9), (0, _START + 1), "error code and RIP in the frame")


@EXCEPTIONS.check("injected", _EVENTS)
def _injected(make: Factory) -> None:
    """An exception injected between runs is taken before the next instruction."""
    guest = make.guest()
    handle(guest, {INVALID_OPCODE: f"{TAKE_FRAME}hlt"})
    guest.load("inc rax\nhlt")
    guest.vcpu.inject(Inject(INVALID_OPCODE))
    equal(guest.drive(), [], "exits")
    equal((guest.vcpu.registers().r8, guest.vcpu.registers().rax), (_START, 0), "RIP in the frame, and RAX")


@EXCEPTIONS.check("injected for a denied store", _EVENTS)
def _injected_for_denied(make: Factory) -> None:
    """Answered with an exception, a denied store has not happened; returned to with rights, it happens once."""
    guest = make.guest()
    handle(guest, {GENERAL_PROTECTION: "hlt\nadd rsp, 8\niretq"})
    guest.fence(Rights.RX)
    guest.load("inc qword ptr [rbx]\nhlt", rbx=Guest.PAGE)
    exit = guest.vcpu.run()
    assert isinstance(exit, ProtectionExit), exit
    guest.vcpu.resolve(exit, Inject(GENERAL_PROTECTION, 0))
    equal(type(guest.vcpu.run()), HltExit, "the handler's HLT")
    equal(guest.word(), OLD, "the word, in the handler")
    guest.fence(Rights.RWX)
    equal(guest.drive(), [], "exits afterwards")
    equal(guest.word(), OLD + 1, "the word, in the end")


@EXCEPTIONS.check("no exception", _EVENTS)
def _refused(make: Factory) -> None:
    """What is no exception, or has a wrong error code, is refused with EINVAL; EBUSY while an exit waits."""
    guest = make.guest()
    for event in (Inject(32), Inject(-1), Inject(2), Inject(GENERAL_PROTECTION), Inject(INVALID_OPCODE, 0)):
        answers(lambda event=event: guest.vcpu.inject(event), errno.EINVAL)
    guest.load("out 0x10, al\nhlt")
    guest.vcpu.run()
    answers(lambda: guest.vcpu.inject(Inject(INVALID_OPCODE)), errno.EBUSY)


@EXCEPTIONS.check("msr", _MSR)
def _msr(make: Factory) -> None:
    """RDMSR and WRMSR of an unknown register exit with index and value, and RDMSR gets what it is given."""
    guest = make.guest(prepare=lambda vm: vm.enable_msr_exits())
    guest.load("wrmsr\nrdmsr\nhlt", rcx=_UNKNOWN, rax=0x55, rdx=0x66)
    told = [
        (exit.index, exit.data)
        for exit in guest.drive(lambda exit: Complete() if getattr(exit, "data", None) else Complete(b"\x77" * 8))
        if isinstance(exit, MsrExit)
    ]
    equal(told, [(_UNKNOWN, bytes([0x55, 0, 0, 0, 0x66, 0, 0, 0])), (_UNKNOWN, None)], "exits")
    equal((guest.vcpu.registers().rax, guest.vcpu.registers().rdx), (0x77777777, 0x77777777), "RAX and RDX")


@EXCEPTIONS.check("cpuid", "api.rst 4.46, KVM_SET_CPUID2")
def _cpuid(make: Factory) -> None:
    """CPUID answers from the table that the VMM gave; a leaf twice is EINVAL."""
    guest, leaf = make.guest(), CpuidLeaf(0x4000_0000, None, 1, 2, 3, 4)
    answers(lambda: guest.vcpu.set_cpuid((leaf, leaf)), errno.EINVAL)
    guest.vcpu.set_cpuid((leaf,))
    guest.load("cpuid\nhlt", rax=0x4000_0000)
    equal(guest.drive(), [], "exits")
    found = guest.vcpu.registers()
    equal((found.rax, found.rbx, found.rcx, found.rdx), (1, 2, 3, 4), "RAX to RDX")


@EXCEPTIONS.check("single step", "KVM_SET_GUEST_DEBUG, KVM_GUESTDBG_SINGLESTEP")
def _single_step(make: Factory) -> None:
    """A run of one instruction executes one."""
    guest = make.guest()
    guest.load("inc rbx\ninc rbx\ninc rbx\nhlt")
    for done in (1, 2, 3):
        equal(type(guest.vcpu.run(1)), Interrupted, "the exit")
        equal(guest.vcpu.registers().rbx, done, "instructions executed")

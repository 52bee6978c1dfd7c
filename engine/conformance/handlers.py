"""Exception handlers for a guest: an IDT that the guest itself loads."""

import struct

from engine.conformance.guest import Guest
from engine.model.exits import HltExit
from engine.x86.assemble import assemble
from engine.x86.descriptors import idt

IDT = 0x20000
IDTR = 0x20F00
HANDLERS = 0x21000
HANDLER_SIZE = 0x80

TAKE_FRAME = "mov r8, [rsp]\nmov r9, [rsp+8]\nmov r10, [rsp+0x10]\nmov r12, [rsp+0x18]\nmov r13, cr2\n"
"""The words on top of the handler's stack to r8, r9, r10 and r12, the faulting address to r13."""


def handler_of(vector: int) -> int:
    """Where the handler of `vector` begins."""
    return HANDLERS + vector * HANDLER_SIZE


def handle(guest: Guest, handlers: dict[int, str], vcpu: int = 0) -> None:
    """Assemble a handler for each vector and have the vCPU load the table."""
    table = idt({vector: handler_of(vector) for vector in handlers})
    for vector, assembly in handlers.items():
        code = assemble(assembly, handler_of(vector)).code
        assert len(code) <= HANDLER_SIZE
        guest.memory.write(handler_of(vector), code)
    guest.memory.write(IDT, table)
    guest.memory.write(IDTR, struct.pack("<HQ", len(table) - 1, IDT))
    guest.load("lidt [rbx]\nhlt", vcpu=vcpu, rbx=IDTR)
    exit = guest.vcpus[vcpu].run()
    assert isinstance(exit, HltExit), exit

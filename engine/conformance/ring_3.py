"""A guest that goes to ring 3 and comes back by exceptions: descriptors, a TSS, and which pages ring 3 may use."""

import struct

from engine.abi import x86
from engine.conformance.guest import Guest
from engine.conformance.handlers import TAKE_FRAME, handle
from engine.model.layout import PAGE_DIRECTORIES, PDPT, PML4
from engine.x86.assemble import assemble
from engine.x86.paging import USER

GDT, GDTR, TSS = 0x30000, 0x30F00, 0x31000
STACK_0, STACK_3 = 0x33000, Guest.DATA + 0x8000
CODE_3, DATA_3, TASK = 0x23, 0x1B, 0x28
TEXT = Guest.DATA
"""Where the code of ring 3 begins: in the 2 MiB that it may use."""
_RING_3 = 3 << 45
TSS_LIMIT = 0x67
_TSS_AVAILABLE = 0x89 << 40
UD, GP, PF = 6, 13, 14

ENTER = f"""lgdt [rbx]
mov eax, {TASK:#x}
ltr ax
push {DATA_3:#x}
push {STACK_3:#x}
push 2
push {CODE_3:#x}
push {TEXT:#x}
iretq"""


def descriptors(tss: int = TSS) -> bytes:
    """Null, code and data of ring 0 as the guest has them, data and code of ring 3, a TSS."""
    code, data = x86.DESCRIPTOR_CODE, x86.DESCRIPTOR_DATA
    task = TSS_LIMIT | tss << 16 | _TSS_AVAILABLE
    return struct.pack("<7Q", 0, code, data, data | _RING_3, code | _RING_3, task, 0)


def begin(guest: Guest, assembly: str, handlers: dict[int, str] | None = None, **registers: int) -> None:
    """Stand ready to go to ring 3, which has no ports and executes `assembly`.

    #UD, #GP and #PF halt with the top of their frame in R8, R9, R10 and R12, and CR2 in R13."""
    handle(guest, dict.fromkeys((UD, GP, PF), TAKE_FRAME + "hlt") | (handlers or {}))
    guest.memory.write(GDT, descriptors())
    guest.memory.write(GDTR, struct.pack("<HQ", len(descriptors()) - 1, GDT))
    guest.memory.write(TSS, struct.pack("<4xQ90xH", STACK_0, TSS_LIMIT + 1))
    for entry in (PML4, PDPT, PAGE_DIRECTORIES + 8):
        guest.memory.write(entry, (guest.word(entry) | USER).to_bytes(8, "little"))
    guest.memory.write(TEXT, assemble(assembly, TEXT).code)
    guest.load(ENTER, rbx=GDTR, **registers)


def open_ports(guest: Guest, bitmap: bytes) -> None:
    """Behind the TSS, whose limit grows by it."""
    guest.memory.write(TSS + TSS_LIMIT + 1, bitmap + b"\xff")
    guest.memory.write(GDT + TASK, bytes([TSS_LIMIT + len(bitmap) + 1]))

"""Assembly that takes a guest to ring 3, on the same code; #UD brings it back to the label `handler`."""

import struct

from engine.conformance.ring_3 import CODE_3, DATA_3, TASK, TSS_LIMIT, descriptors
from tests.engine.machine.vsm_guest import idt, put

GDT, TSS = 0x20B000, 0x20C000
STACK_0, STACK_3 = 0x20E000, 0x20F000
_UD = 6
_USER_PAGES = "\n".join(f"mov rbx, {entry:#x}\nor qword ptr [rbx], 4" for entry in (0x1000, 0x2000, 0x3000, 0x3008))
_WORDS = struct.unpack("<7Q", descriptors(TSS))

WITH_RING_3 = f"""
    {_USER_PAGES}
    mov rax, cr3
    mov cr3, rax
    {put(GDT, *_WORDS, len(_WORDS) * 8 - 1 | GDT << 16, 0)}
    lgdt [rbx - 8]
    {put(TSS, STACK_0 << 32, 0)}
    {put(TSS + 0x60, (TSS_LIMIT + 1) << 48)}
    mov eax, {TASK:#x}
    ltr ax
    {idt((_UD, "handler"))}
"""
"""Both the guest's code and its data are in pages with the U bit; the TSS has RSP0 and no ports."""

TO_RING_3 = f"""
    mov rax, {DATA_3:#x}
    push rax
    mov rax, {STACK_3:#x}
    push rax
    push 2
    mov rax, {CODE_3:#x}
    push rax
    lea rax, [rip + 3]
    push rax
    iretq
"""

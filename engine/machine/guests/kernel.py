"""kernel: what VTL1 keeps from a kernel in VTL0."""

from collections.abc import Mapping

import msgspec

from engine.hypervisor.contract.vectors import GENERAL_PROTECTION
from engine.machine.guests.guest import BASE, ROUNDS, Guest, rounds_end, rounds_start
from engine.machine.guests.hypercall import calls
from engine.machine.guests.idt import GATE, install, load
from engine.model.layout import HYPERCALL_PAGE, PML4

SECRET = 0x5EC7E7
"""What stands in the secret's page."""
TOLD_CODE, TOLD_SECRET, TOLD_ANSWER, TOLD_REFUSAL = range(0x10, 0x14)
"""Ports: what its code returned, the secret as it read it, and VTL1's answers about its code and the secret."""
_TABLE = 0x800
"""Where in the page for what it learns its IDT is."""
_PAGE = msgspec.structs.replace(BASE, name="code", default=0x210000, meaning="gpa of the page with its code")
_PARAMETERS = (
    _PAGE,
    msgspec.structs.replace(_PAGE, name="secret", default=0x214000, meaning="gpa of the page with its secret"),
    msgspec.structs.replace(_PAGE, name="learnt", default=0x216000, meaning="gpa of the page for what it learns"),
    ROUNDS,
)


def _source(params: Mapping[str, int]) -> str:
    table = params["learnt"] + _TABLE
    code, secret, learnt, rounds = (params[name] for name in ("code", "secret", "learnt", "rounds"))
    return f"""
; VTL0: a kernel. It has a page of code, a secret, and a page for what it learns.
    mov r12, rdi              ; where VTL1's code begins; 0: there is no VTL1
{install(table, "forbidden", GENERAL_PROTECTION)}
{load(table)}
    mov rbx, {code:#x}
    mov rax, 0xc300000000b8   ; its code: MOV EAX, 0 and RET
    mov [rbx], rax
    mov rbx, {secret:#x}
    mov rax, {SECRET:#x}
    mov [rbx], rax            ; the secret
    test r12, r12
    jz start                  ; nobody above it: nothing is fenced
    mov rcx, 0x1000d          ; EnablePartitionVtl, fast: parameters in RDX and R8
    mov rdx, -1               ; HV_PARTITION_ID_SELF
    mov r8, 1                 ; VTL1
    call hypercall
    mov rcx, 0xf              ; EnableVpVtl: parameters in memory
    mov rdx, context
    mov [rdx + 16], r12       ; RIP of VTL1
    mov r8, 0
    call hypercall
    test ax, ax               ; its status
    jz enabled
    mov r12, 0                ; not to be had on this vCPU: it goes on alone
    jmp start
enabled:
    call vtl_call             ; VTL1 sets up its fence, and returns
start:
    mov r14, 0                ; rounds so far
{rounds_start(rounds)}
round:
; 1. A stray store into its own code, as by a mistake or by a stranger who got in: the function would return another
;    number. Without the right W the store is denied.
    lea r11, [rip + stored]   ; where to go on after a #GP
    mov rbx, {code:#x}
    mov byte ptr [rbx + 1], 0x66
stored:
; 2. It calls its code, which it may: the mask leaves R and X.
    mov rax, {code:#x}
    call rax
    out {TOLD_CODE:#x}, eax             ; what it learns it also tells, each on a port of its own
    mov rbx, {learnt:#x}
    add [rbx], rax            ; +0x00: the sum of what its code returned
; 3. It reads the secret. Without the right R the load is denied.
    lea r11, [rip + looked]
    mov rdx, 0
    mov rbx, {secret:#x}
    mov rdx, [rbx]
looked:
    mov rax, rdx
    out {TOLD_SECRET:#x}, eax
    mov rbx, {learnt:#x}
    mov [rbx + 8], rdx        ; +0x08: the secret, or 0 where the load was skipped
; 4. It changes its code as agreed: asks for the page, stores, gives it back.
    inc r14
    mov rdi, {code:#x}
    mov rsi, 1                ; open
    call ask
    out {TOLD_ANSWER:#x}, eax
    mov rbx, {learnt:#x}
    mov [rbx + 16], rax       ; +0x10: the answer, 0 for yes
    mov rbx, {code:#x}
    mov [rbx + 1], r14d       ; MOV EAX, so many rounds
    mov rdi, rbx
    mov rsi, 0                ; close
    call ask
; 5. It asks for the secret, which nobody gets.
    mov rdi, {secret:#x}
    mov rsi, 1
    call ask
    out {TOLD_REFUSAL:#x}, eax
    mov rbx, {learnt:#x}
    mov [rbx + 24], rax       ; +0x18: the answer, 6 for no
{rounds_end(rounds, "round")}
ask:                          ; RDI: a page; RSI: 1 to open it, 0 to close it. RAX: the answer
    mov rax, 0
    test r12, r12
    jnz vtl_call
    ret
forbidden:                    ; #GP: VTL1 has faulted this VTL. It is counted, and the instruction left out
    mov r10, {learnt:#x}
    inc qword ptr [r10 + 32]  ; +0x20: how often
    add rsp, 8                ; the error code
    mov [rsp], r11
    iretq
{GATE}
{calls(HYPERCALL_PAGE)}
.align 8
context:                      ; HV_PARTITION_ID_SELF; this VP, VTL1; RIP, RSP, RFLAGS
    .quad -1, 0x1fffffffe, 0, 0, 2
    .quad 0, 0xa09b0008ffffffff    ; CS: base; limit, selector and attributes: 64-bit code
    .quad 0, 0xc0930010ffffffff, 0, 0xc0930010ffffffff, 0, 0xc0930010ffffffff    ; DS, ES, FS: data
    .quad 0, 0xc0930010ffffffff, 0, 0xc0930010ffffffff    ; GS, SS: data
    .quad 0, 0x8b00000000ffff, 0, 0    ; TR: a TSS in use; LDTR: none
    .quad 0, 0, 0x17000000000000, 0    ; IDTR: none; GDTR: three entries at 0
    .quad 0xd00, 0x80050033, {PML4:#x}, 0x620, 0x7040600070406    ; EFER, CR0, CR3, CR4, PAT
"""


KERNEL = Guest(
    "kernel",
    "A small kernel. A round: a stray store into its own code, a call of that code, a look at a secret, a change of its"
    " code for which it asks VTL1, and a request for the secret. It tells what came of it on ports: 0x10 what its code"
    " returned, 0x11 the secret, 0x12 and 0x13 the two answers. With `vtl1: {guest: monitor}` it is fenced.",
    _PARAMETERS,
    _source,
)

"""monitor: what VTL1 does for a kernel in VTL0."""

from collections.abc import Iterator, Mapping

import msgspec

from engine.machine.guests.guest import BASE, PAGES, Guest, Parameter
from engine.machine.guests.hypercall import calls
from engine.machine.guests.monitor_answers import ANSWERS
from engine.model.address import PAGE_SHIFT, PAGE_SIZE
from engine.model.layout import HYPERCALL_PAGE, PML4

OWN_PAGES = 12
"""Its code, VP assist page, message page, stack, log, hypercall page and six of page tables, from `base` on."""
OPENED, CLOSED, REFUSED = 0x10, 0x11, 0x12
"""In the log, beside 0 read, 1 write, 2 execute."""
_MOST = 32
_COUNT = msgspec.structs.replace(PAGES, default=1, high=_MOST)
_PARAMETERS = (
    msgspec.structs.replace(BASE, name="code", default=0x210000, meaning="gpa of the pages that keep R and X"),
    msgspec.structs.replace(_COUNT, name="code_pages", default=4, meaning="how many of these"),
    msgspec.structs.replace(BASE, name="secret", default=0x214000, meaning="gpa of the pages that keep no right"),
    msgspec.structs.replace(_COUNT, name="secret_pages", default=2, meaning="how many of these"),
    Parameter("apart", 1, "1: it has page tables and a hypercall page of its own; 0: it goes by those of VTL0", 0, 1),
    Parameter(
        "answer",
        0,
        "to a denied access: 0 skips it, 1 gives all rights, 2 faults VTL0 with #GP, 3 stops the vCPU",
        0,
        3,
    ),
    Parameter("patience", 0, "intercepts before it stops the vCPU; 0 goes on for ever"),
    Parameter(
        "target", 0x10, "TargetVtl of its masks: 0x10 names VTL0 as bound, 0x11 VTL1 as binding (openvmm)", 0x10, 0x11
    ),
)


def _source(params: Mapping[str, int]) -> str:
    base, code, secret = params["base"], params["code"], params["secret"]
    assist, messages, stack, log, page, tables = (base + at * PAGE_SIZE for at in range(1, 7))
    target = params["target"] << 32
    return f"""
; VTL1: a monitor. RIP, RSP and RFLAGS are its own; the other registers are VTL0's.
    mov rsp, {stack + PAGE_SIZE:#x}
{_apart(page, tables) if params["apart"] else ""}
    mov r8, 0                 ; no output
    mov rcx, 0x400000051      ; SetVpRegisters, four reps
    mov rdx, registers
    call hypercall
    mov rcx, {params["code_pages"]:#x}0000000c    ; ModifyVtlProtectionMask, a rep for each page
    mov rdx, code
    call hypercall
    mov rcx, {params["secret_pages"]:#x}0000000c
    mov rdx, secret
    call hypercall
    mov rcx, {OWN_PAGES:#x}0000000c
    mov rdx, own
    call hypercall
    mov rcx, 1                ; a fast return: nothing to give back
    call vtl_return
entered:                      ; VTL0 has called, or was denied an access
    push rbx
    mov rbx, {assist:#x}
    mov [rbx + 16], rax       ; a slow return takes RAX and RCX of VTL0 from here
    mov [rbx + 24], rcx
    push rdx
    push rsi
    push rdi
    push r8
    mov r8, 0
    cmp dword ptr [rbx + 8], 3   ; entry reason: 1 VTL call, 3 intercept
    je intercept
; ---- A request. RDI: a page; RSI: 1 to open it, 0 to close it. Only its pages of code are to be had.
    mov rax, rdi
    shr rax, 12
    mov rbx, code + 16        ; the page numbers
    mov rcx, {params["code_pages"]:#x}
find:
    cmp [rbx], rax
    je found
    add rbx, 8
    dec rcx
    jnz find
    mov rax, {REFUSED:#x}
    call note
    mov rax, 6                ; as HV_STATUS_ACCESS_DENIED
    jmp reply
found:
    mov rdx, one
    mov [rdx + 16], rax
    mov dword ptr [rdx + 8], 0xd   ; MapFlags: R 1, W 2, kernel X 4, user X 8
    mov rax, {CLOSED:#x}
    cmp rsi, 1
    jne change
    mov dword ptr [rdx + 8], 0xf
    mov rax, {OPENED:#x}
change:
    call note
    mov rcx, 0x10000000c      ; ModifyVtlProtectionMask, one rep
    call hypercall
    movzx rax, ax             ; its status
reply:
    mov rbx, {assist:#x}
    mov [rbx + 16], rax       ; RAX of VTL0
    jmp leave
; ---- An intercept: the message is in the slot of SINT0, its payload at +0x10.
intercept:
    mov rsi, {messages:#x}
    mov rdi, [rsi + 0x48]     ; gpa
    movzx rax, byte ptr [rsi + 0x15]   ; access: 0 read, 1 write, 2 execute
    call note
{_patience(params["patience"])}
{_answer(params["answer"])}
    mov dword ptr [rsi], 0    ; the slot is empty: the next message may come
leave:
    pop r8
    pop rdi
    pop rsi
    pop rdx
    pop rbx
    mov rcx, 0                ; a slow return
    call vtl_return
    jmp entered
stop:
    hlt                       ; the vCPU has only this one RIP to go on at: VTL0 does not run again
note:                         ; into the log: RDI an address, RAX what was done with it
    mov rbx, {log:#x}
    mov rcx, [rbx]            ; entries so far
    inc qword ptr [rbx]
    and rcx, 127              ; the last 128 are kept
    shl rcx, 4
    mov [rbx + rcx + 16], rdi
    mov [rbx + rcx + 24], rax
    ret
{calls(page if params["apart"] else HYPERCALL_PAGE)}
.align 8
registers:                    ; HV_PARTITION_ID_SELF; this VP and VTL; name and value of each
    .quad -1, 0xfffffffe
    .quad 0xd0007, 0, 0x3f, 0      ; VsmPartitionConfig: protection on, default mask RWX, zero on reset
    .quad 0x90013, 0, {assist + 1:#x}, 0    ; VpAssistPage
    .quad 0xa0010, 0, 1, 0         ; SCONTROL: the SynIC is on
    .quad 0xa0013, 0, {messages + 1:#x}, 0    ; SIMP, the message page
skip:                         ; self; this VP, VTL0; RIP
    .quad -1, 0x10fffffffe, 0x20010, 0, 0, 0
fault:                        ; self; this VP, VTL0; PendingEvent0: an exception with error code 0, vector 13, #GP
    .quad -1, 0x10fffffffe, 0x10004, 0, 0xd0101, 0
code:                         ; self; MapFlags and TargetVtl; the pages
    .quad -1, {target | 0xD:#x}
{_gfns(code, params["code_pages"])}
secret:
    .quad -1, {target:#x}
{_gfns(secret, params["secret_pages"])}
own:                          ; the monitor's: VTL0 shall not know what it does
    .quad -1, {target:#x}
{_gfns(base, OWN_PAGES)}
one:
    .quad -1, {target:#x}, 0
left:
    .quad {params["patience"]:#x}
"""


def _answer(kind: int) -> str:
    return ANSWERS[kind].format(own=OWN_PAGES).strip("\n")


def _apart(page: int, tables: int) -> str:
    """VTL0 may write to the system area, and VTL1 must not go by what VTL0 has written there."""
    return f"""
; ---- Page tables of its own, copied while VTL0 is still what was loaded.
    mov rsi, {PML4:#x}
    mov rdi, {tables:#x}
    mov rcx, {HYPERCALL_PAGE - PML4 >> 3:#x}
    rep movsq
    mov rax, {tables - PML4:#x}    ; what they point to has moved by so much
    mov rbx, {tables:#x}
    add [rbx], rax            ; PML4
    add [rbx + 0x1000], rax   ; page directory pointers
    add [rbx + 0x1008], rax
    add [rbx + 0x1010], rax
    add [rbx + 0x1018], rax
    mov cr3, rbx
; ---- And a hypercall page.
    mov rcx, 0x40000001       ; MSR Hypercall
    mov rax, {page + 1:#x}
    mov rdx, 0
    wrmsr"""


def _gfns(base: int, count: int) -> str:
    return "\n".join(_lines([base + page * PAGE_SIZE >> PAGE_SHIFT for page in range(count)]))


def _lines(gfns: list[int]) -> Iterator[str]:
    for at in range(0, len(gfns), 8):
        yield f"    .quad {', '.join(f'{gfn:#x}' for gfn in gfns[at : at + 8])}"


def _patience(intercepts: int) -> str:
    return "    mov rdx, left\n    dec qword ptr [rdx]\n    jz stop                   ; too many" if intercepts else ""


MONITOR = Guest(
    "monitor",
    "Runs in VTL1 and fences pages from VTL0: of code, which keep R and X, and with secrets, which keep no right, as"
    " its own twelve. It logs each denied access, and skips the instruction unless told otherwise by `answer`."
    " VTL0 may ask by a VTL call for a page of code to be opened (RDI: the page, RSI: 1) and closed (RSI: 0). The"
    " answer in RAX is 0, or 6 for any other page.",
    _PARAMETERS,
    _source,
    vtl=1,
    pages=OWN_PAGES,
)

"""faults: takes exceptions, with handlers of its own."""

from collections.abc import Mapping

from engine.abi import x86
from engine.hypervisor.contract.vectors import GENERAL_PROTECTION, INVALID_OPCODE, PAGE_FAULT
from engine.machine.guests.guest import BASE, ROUNDS, Guest, rounds_end, rounds_start
from engine.model.address import PAGE_SIZE
from engine.model.layout import MAX_RAM

_LIMIT = 16 * (PAGE_FAULT + 1) - 1
_POINTER = 0x800
"""Where in the table's page what LIDT reads is."""
_GATE = """
gate:                       ; RAX handler, RBX its gate
    mov qword ptr [rbx], rax
    mov word ptr [rbx + 2], {selector:#x}
    mov word ptr [rbx + 4], {kind:#x}
    shr rax, 16
    mov word ptr [rbx + 6], ax
    shr rax, 16
    mov qword ptr [rbx + 8], rax
    ret
"""


def _source(params: Mapping[str, int]) -> str:
    base, rounds = params["base"], params["rounds"]
    page, table = base + 3 * PAGE_SIZE, base + 4 * PAGE_SIZE
    return f"""
    mov rsi, {table:#x}
{_install(table, "invalid", INVALID_OPCODE)}
{_install(table, "forbidden", GENERAL_PROTECTION)}
{_install(table, "missing", PAGE_FAULT)}
    mov word ptr [rsi + {_POINTER:#x}], {_LIMIT:#x}
    mov qword ptr [rsi + {_POINTER + 2:#x}], rsi
    lidt [rsi + {_POINTER:#x}]
{rounds_start(rounds)}
again:
    lea rdx, [rip + one]    ; where to go on
    ud2
one:
    lea rdx, [rip + two]
    mov rax, {1 << 63:#x}
    mov [rax], rax          ; not an address
two:
    lea rdx, [rip + three]
    mov rax, {MAX_RAM:#x}
    mov [rax], rax          ; beyond the page tables
three:
    lea rdx, [rip + four]
    mov rax, {page:#x}
    mov [rax], rax          ; #GP where it is fenced and the VMM injects
four:
{rounds_end(rounds, "again")}
{_handler("invalid", base, has_code=False)}
{_handler("forbidden", base + PAGE_SIZE)}
{_handler("missing", base + 2 * PAGE_SIZE)}
{_GATE.format(selector=x86.CODE_SELECTOR, kind=x86.GATE_INTERRUPT << 8)}
"""


def _install(table: int, name: str, vector: int) -> str:
    return f"    lea rax, [rip + {name}]\n    mov rbx, {table + 16 * vector:#x}\n    call gate"


def _handler(name: str, counter: int, has_code: bool = True) -> str:
    """Counts, and returns to where RDX says instead of to the instruction."""
    drop = "\n    add rsp, 8              ; the error code" if has_code else ""
    return f"{name}:{drop}\n    mov rdi, {counter:#x}\n    inc qword ptr [rdi]\n    mov [rsp], rdx\n    iretq"


FAULTS = Guest(
    "faults",
    "Takes exceptions: a round provokes #UD, #GP and #PF, which its handlers count in the first three pages, and stores"
    " to the fourth, where a fence whose policy is `inject` makes it one #GP more. Its IDT is in the fifth.",
    (BASE, ROUNDS),
    _source,
)

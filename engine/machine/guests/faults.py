"""faults: takes exceptions, with handlers of its own."""

from collections.abc import Mapping

from engine.hypervisor.contract.vectors import GENERAL_PROTECTION, INVALID_OPCODE, PAGE_FAULT
from engine.machine.guests.guest import BASE, ROUNDS, Guest, rounds_end, rounds_start
from engine.machine.guests.idt import GATE, install, load
from engine.model.address import PAGE_SIZE
from engine.model.layout import MAX_RAM


def _source(params: Mapping[str, int]) -> str:
    base, rounds = params["base"], params["rounds"]
    page, table = base + 3 * PAGE_SIZE, base + 4 * PAGE_SIZE
    return f"""
{install(table, "invalid", INVALID_OPCODE)}
{install(table, "forbidden", GENERAL_PROTECTION)}
{install(table, "missing", PAGE_FAULT)}
{load(table)}
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
{GATE}
"""


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

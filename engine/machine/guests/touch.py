"""touch: stores round-robin."""

from collections.abc import Mapping

from engine.machine.guests.guest import BASE, PAGES, ROUNDS, Guest, Parameter, rounds_end, rounds_start
from engine.model.address import PAGE_SIZE

_STRIDE = Parameter("stride", 1, "pages from one store to the next", 1, 1 << 18)


def _source(params: Mapping[str, int]) -> str:
    rounds = params["rounds"]
    return f"""
    mov rax, 0                ; the value stored, one more each time
{rounds_start(rounds)}
again:
    mov rdi, {params["base"]:#x}
    mov rcx, {params["pages"]:#x}
page:
    inc rax
    mov qword ptr [rdi], rax
    add rdi, {params["stride"] * PAGE_SIZE:#x}
    dec rcx
    jnz page
{rounds_end(rounds, "again")}
"""


TOUCH = Guest(
    "touch", "Stores a growing counter to each page in turn, round and round.", (BASE, PAGES, ROUNDS, _STRIDE), _source
)

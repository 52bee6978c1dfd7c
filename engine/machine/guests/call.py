"""call: executes into pages."""

from collections.abc import Mapping

from engine.machine.guests.guest import BASE, PAGES, ROUNDS, Guest, rounds_end, rounds_start
from engine.model.address import PAGE_SIZE

_RET = 0xC3


def _source(params: Mapping[str, int]) -> str:
    rounds = params["rounds"]
    return f"""
    mov rdi, {params["base"]:#x}
    mov rcx, {params["pages"]:#x}
fill:
    mov byte ptr [rdi], {_RET:#x}   ; RET, the whole function
    add rdi, {PAGE_SIZE:#x}
    dec rcx
    jnz fill
{rounds_start(rounds)}
again:
    mov rdi, {params["base"]:#x}
    mov rcx, {params["pages"]:#x}
page:
    call rdi
    add rdi, {PAGE_SIZE:#x}
    dec rcx
    jnz page
{rounds_end(rounds, "again")}
"""


CALL = Guest("call", "Fills each page with a RET, then calls into the pages in turn.", (BASE, PAGES, ROUNDS), _source)

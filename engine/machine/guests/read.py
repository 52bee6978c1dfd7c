"""read: loads round-robin."""

from collections.abc import Mapping

from engine.machine.guests.guest import BASE, PAGES, ROUNDS, Guest, rounds_end, rounds_start
from engine.model.address import PAGE_SIZE


def _source(params: Mapping[str, int]) -> str:
    rounds = params["rounds"]
    return f"""
{rounds_start(rounds)}
again:
    mov rsi, {params["base"]:#x}
    mov rcx, {params["pages"]:#x}
page:
    mov rax, qword ptr [rsi]
    add rsi, {PAGE_SIZE:#x}
    dec rcx
    jnz page
{rounds_end(rounds, "again")}
"""


READ = Guest("read", "Loads eight bytes from each page in turn, round and round.", (BASE, PAGES, ROUNDS), _source)

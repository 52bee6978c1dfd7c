"""lockinc: atomic increments."""

from collections.abc import Mapping

import msgspec

from engine.machine.guests.guest import BASE, PAGES, ROUNDS, Guest, rounds_end, rounds_start
from engine.model.address import PAGE_SIZE


def _source(params: Mapping[str, int]) -> str:
    rounds = params["rounds"]
    return f"""
{rounds_start(rounds)}
again:
    mov rdi, {params["base"]:#x}
    mov rcx, {params["pages"]:#x}
page:
    lock inc qword ptr [rdi]
    add rdi, {PAGE_SIZE:#x}
    dec rcx
    jnz page
{rounds_end(rounds, "again")}
"""


LOCKINC = Guest(
    "lockinc",
    "Increments a counter in each page with LOCK: two vCPUs on the same pages lose no count.",
    (BASE, msgspec.structs.replace(PAGES, default=1), ROUNDS),
    _source,
)

"""scatter: stores to pages drawn by chance, the same ones for the same seed."""

from collections.abc import Mapping

from engine.machine.guests.guest import BASE, PAGES, ROUNDS, Guest, Parameter, rounds_end, rounds_start
from engine.model.address import PAGE_SHIFT

_SEED = Parameter("seed", 1, "start of the random sequence", 1, (1 << 64) - 1)


def _source(params: Mapping[str, int]) -> str:
    rounds = params["rounds"]
    return f"""
    mov rdi, {params["base"]:#x}
    mov rcx, {params["pages"]:#x}
    mov rbx, {params["seed"]:#x}
{rounds_start(rounds)}
again:
    mov rax, rbx              ; xorshift64 (Marsaglia 2003), period 2^64 - 1
    shl rax, 13
    xor rbx, rax
    mov rax, rbx
    shr rax, 7
    xor rbx, rax
    mov rax, rbx
    shl rax, 17
    xor rbx, rax
    mov rax, rbx
    shr rax, 32
    xor rdx, rdx
    div rcx                   ; RDX: a page number below `pages`
    shl rdx, {PAGE_SHIFT}
    mov qword ptr [rdi + rdx], rbx
{rounds_end(rounds, "again")}
"""


SCATTER = Guest(
    "scatter", "Stores to pages in a random order that the seed fixes.", (BASE, PAGES, ROUNDS, _SEED), _source
)

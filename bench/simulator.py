"""The simulator's speed: instructions a second, and round trips of a denied store."""

from contextlib import closing

from bench.exits import BATCH, answered
from bench.figure import Figure, rate
from bench.guests import OUT_LOOP, STORE_LOOP, running
from engine.hypervisor.contract.protocols import Vcpu

SPIN = "again: inc rax\njmp again"
SLICE = 200_000
"""Instructions a run, as many as a slice of the executor may have."""


def measure() -> list[Figure]:
    return [
        instructions("spin: inc, jmp", SPIN),
        instructions("stores to one page", STORE_LOOP),
        round_trips("denied store, completed", STORE_LOOP, True),
        round_trips("OUT, answered", OUT_LOOP, False),
    ]


def instructions(name: str, asm: str) -> Figure:
    vm, vcpu = running("sim", asm)
    with closing(vm):
        return rate(name, lambda: _run_slice(vcpu))


def _run_slice(vcpu: Vcpu) -> int:
    before = vcpu.instructions or 0
    vcpu.run(SLICE)
    return (vcpu.instructions or 0) - before


def round_trips(name: str, asm: str, fenced: bool) -> Figure:
    vm, vcpu = running("sim", asm, fenced)
    assert BATCH > 0
    with closing(vm):
        return rate(name, lambda: answered(vcpu))

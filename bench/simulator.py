"""The simulator's speed: instructions beside bare Unicorn's, round trips of an exit, first writes, going back."""

from collections.abc import Callable
from contextlib import closing

from bench.contest import Side, contest
from bench.exits import BATCH, answered
from bench.figure import Figure, rate
from bench.guests import OUT_LOOP, STORE_LOOP, running
from bench.pages import first_writes, going_back
from bench.unicorn_alone import Alone
from engine.hypervisor.contract.protocols import Vcpu
from engine.hypervisor.sim.vcpu import SLICE as ENTRY

LOAD_LOOP = "mov rdi, 0x200000\nagain: mov rax, [rdi]\njmp again"
INCREMENT_LOOP = "mov rdi, 0x200000\nagain: inc qword ptr [rdi]\njmp again"
SPIN = "again: inc rax\njmp again"
SLICE = 200_000
"""Instructions a run, as many as a slice of the executor may have."""


def measure() -> list[Figure]:
    return [
        instructions("spin: inc, jmp", SPIN),
        *stores(),
        round_trips("round trip: denied store, completed", STORE_LOOP, "RX"),
        round_trips("round trip: denied load, completed", LOAD_LOOP, "none"),
        round_trips("round trip: denied INC, which is tried out", INCREMENT_LOOP, "RX"),
        round_trips("round trip: OUT, answered", OUT_LOOP, "RWX"),
        *first_writes(),
        *going_back(),
    ]


def stores() -> list[Figure]:
    """Turn about, in the same slices: a limit makes the engine count, and an entry costs its time."""
    alone = Alone()
    alone.prove()
    vm, vcpu = running("sim", STORE_LOOP)
    with closing(vm):
        return contest(
            _side("stores to one page, bare Unicorn", lambda: alone.run(SLICE, ENTRY)),
            _side("stores to one page, logged", lambda: _run_slice(vcpu), "0.7 or more"),
        )


def _side(name: str, call: Callable[[], int], bound: str = "") -> Side:
    return Side(name, "/s", lambda: rate(name, call, repeat=2).samples, bound)


def instructions(name: str, asm: str) -> Figure:
    vm, vcpu = running("sim", asm)
    with closing(vm):
        return rate(name, lambda: _run_slice(vcpu))


def _run_slice(vcpu: Vcpu) -> int:
    before = vcpu.instructions or 0
    vcpu.run(SLICE)
    return (vcpu.instructions or 0) - before


def round_trips(name: str, asm: str, mask: str) -> Figure:
    vm, vcpu = running("sim", asm, mask)
    assert BATCH > 0
    with closing(vm):
        return rate(name, lambda: answered(vcpu))

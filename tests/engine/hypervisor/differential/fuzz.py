"""Ten minutes of new sequences each time: `make fuzz`, `make fuzz ARGS='--minutes 1 --seed 7'`.

Ends with 1 at the first difference, which is printed as the shortest program that shows it, with the seed that drew it;
with 0, and a loud word, where there is no KVM.
"""

import argparse
import random
import sys
import time
import traceback

from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import get_state_machine_test

from engine.hypervisor.contract.errors import HypervisorMissing
from engine.hypervisor.contract.protocols import Hypervisor
from engine.hypervisor.kvm.system import KvmHypervisor
from tests.engine.hypervisor.differential.machine import machine

SEQUENCES = 100
"""Drawn from one seed: some twenty seconds, so the deadline is kept by as much."""


def search(real: Hypervisor, drawn_from: int, sequences: int) -> None:
    """Do the sequences that this seed draws. Raises at a difference, with the shortest one that shows it."""
    drawn = settings(
        max_examples=sequences,
        stateful_step_count=20,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    seed(drawn_from)(get_state_machine_test(machine(real), settings=drawn))()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=None, help="the first seed; without it, a new one")
    asked = parser.parse_args(arguments)
    try:
        real = KvmHypervisor()
    except HypervisorMissing as missing:
        _say(f"SKIPPED: fuzz: NO KVM ON THIS HOST: {missing.reason}")
        return 0
    first = random.SystemRandom().randrange(1 << 32) if asked.seed is None else asked.seed
    return fuzz(real, first, asked.minutes * 60)


def fuzz(real: Hypervisor, first: int, seconds: float) -> int:
    began, number = time.monotonic(), first
    while time.monotonic() - began < seconds:
        try:
            search(real, number, SEQUENCES)
        except Exception:
            traceback.print_exc()
            _say(f"fuzz: a difference; again by: make fuzz ARGS='--seed {number}'")
            return 1
        number += 1
        _say(f"fuzz: {(number - first) * SEQUENCES} sequences, seeds {first} to {number - 1}, no difference")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

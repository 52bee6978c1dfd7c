"""Random calls and guests on the simulator and on real KVM must be answered alike (differential/machine.py).

Here the same ones each time, about a minute of them; `make fuzz` draws new ones for ten.
"""

import pytest

from engine.hypervisor.contract.protocols import Hypervisor
from tests.engine.hypervisor.conftest import real_kvm
from tests.engine.hypervisor.differential.fuzz import search

SEQUENCES = 20
"""Of each seed. The lane takes the first seed only (tests/lanes/lane.py): it is some forty times as slow."""


@pytest.fixture
def real() -> Hypervisor:
    return real_kvm()


@pytest.mark.parametrize("drawn_from", range(10), ids=["first", *(f"more {n}" for n in range(1, 10))])
def test_sequences_of_calls_and_guests_are_answered_alike(real: Hypervisor, drawn_from: int) -> None:
    search(real, drawn_from, SEQUENCES)

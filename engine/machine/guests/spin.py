"""spin: executes and touches nothing."""

from collections.abc import Mapping

from engine.machine.guests.guest import ROUNDS, Guest, rounds_end, rounds_start


def _source(params: Mapping[str, int]) -> str:
    rounds = params["rounds"]
    return f"""
{rounds_start(rounds)}
again:
    pause
{rounds_end(rounds, "again")}
"""


SPIN = Guest("spin", "An empty loop: executes, never touches data.", (ROUNDS,), _source)

"""Measuring one thing beside another on a machine that is not quiet: rounds turn about, order reversed every time."""

import os
import statistics
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

import msgspec

from bench.figure import Figure

ROUNDS = 8


class Side(msgspec.Struct, frozen=True):
    """`round` measures for a moment and gives its samples in `unit`."""

    name: str
    unit: str
    round: Callable[[], Sequence[float]]
    bound: str = ""
    """What its ratio should be."""


def contest(first: Side, *others: Side, rounds: int = ROUNDS) -> list[Figure]:
    """All samples of each side; the others with the median over the rounds of their ratio to the first's round."""
    sides = [first, *others]
    found = {side.name: list[Sequence[float]]() for side in sides}
    for turn in range(rounds):
        for side in sides if turn % 2 == 0 else reversed(sides):
            found[side.name].append(side.round())
    return [_figure(side, found[side.name], found[first.name] if side is not first else None) for side in sides]


@contextmanager
def pinned() -> Generator[None]:
    """On one processor, programs started meanwhile too.

    A change to slots waits for a worker of the kernel: on another, idle processor it takes 2 to 40 times as long
    (measured), and which it is holds for a whole run.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _figure(side: Side, rounds: list[Sequence[float]], beside: list[Sequence[float]] | None) -> Figure:
    ratio = None
    if beside is not None:
        pairs = zip(rounds, beside, strict=True)
        ratio = statistics.median(statistics.median(mine) / statistics.median(theirs) for mine, theirs in pairs)
    every = tuple(sample for one in rounds for sample in one)
    return Figure(side.name, side.unit, every, ratio, side.bound)

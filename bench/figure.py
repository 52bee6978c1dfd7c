"""A measured quantity: samples and how to say them."""

import statistics
from collections.abc import Callable
from time import perf_counter

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """`samples` in `unit`, one a repetition; `ratio` to the figure it is to be seen beside."""

    name: str
    unit: str
    samples: tuple[float, ...]
    ratio: float | None = None
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    def bad_end(self, share: float) -> float:
        """What all but `share` of the samples are better than: a low rate, a long time."""
        ordered = sorted(self.samples, reverse=self.unit.endswith("/s"))
        return ordered[min(len(ordered) - 1, int(len(ordered) * (1 - share)))]


class Absent(Exception):
    """This machine cannot measure it; the text says why."""


def rate(name: str, call: Callable[[], int], seconds: float = 0.3, repeat: int = 9) -> Figure:
    """Things a second: `call` does some and says how many; each sample lasts at least `seconds`."""
    call()
    return Figure(name, "/s", tuple(_one_rate(call, seconds) for _ in range(repeat)))


def _one_rate(call: Callable[[], int], seconds: float) -> float:
    done, start = 0, perf_counter()
    while (passed := perf_counter() - start) < seconds:
        done += call()
    return done / passed


def spent(name: str, prepare: Callable[[], object], call: Callable[[], object], repeat: int = 15) -> Figure:
    """Milliseconds of `call`, with `prepare` before each and not counted."""
    samples: list[float] = []
    for _ in range(repeat):
        prepare()
        start = perf_counter()
        call()
        samples.append((perf_counter() - start) * 1e3)
    return Figure(name, "ms", tuple(samples))


def beside(figure: Figure, other: Figure) -> Figure:
    """The figure with its ratio to another one of the same run."""
    return msgspec.structs.replace(figure, ratio=figure.median / other.median)


HEAD = ("figure", "median", "p95", "p99", "unit", "ratio", "n", "")


def table(figures: list[Figure]) -> str:
    """Lines of aligned columns. p95 and p99 are at the bad end: of a rate, what all but 5 or 1 % reach."""
    rows = [HEAD, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    return "\n".join("  ".join(_pad(row, widths)).rstrip() for row in rows)


def markdown(figures: list[Figure]) -> str:
    """The same as docs/performance.md has it."""
    rows = [HEAD, ("---",) * len(HEAD), *(_row(figure) for figure in figures)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(figure: Figure) -> tuple[str, ...]:
    ratio = f"{figure.ratio:.2f}" if figure.ratio else ""
    numbers = tuple(_number(value) for value in (figure.median, figure.bad_end(0.05), figure.bad_end(0.01)))
    return (figure.name, *numbers, figure.unit, ratio, str(len(figure.samples)), figure.note)


def _pad(row: tuple[str, ...], widths: list[int]) -> list[str]:
    return [
        cell.rjust(width) if column in (1, 2, 3, 5, 6) else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"

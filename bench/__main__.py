"""`python -m bench [FIGURE ...]`: measure all of them, or the ones named."""

import argparse
import sys
import time

from bench import against_c, exits, frames, latency, machine, simulator, space, viewers, vtl
from bench.figure import Absent, Figure, markdown, table

GROUPS = {
    "exits": exits.measure,
    "against_c": against_c.measure,
    "simulator": simulator.measure,
    "space": space.measure,
    "vtl": vtl.measure,
    "frames": frames.measure,
    "latency": latency.measure,
    "viewers": viewers.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], metavar="FIGURE", help=", ".join(GROUPS))
    parser.add_argument("--markdown", action="store_true", help="tables as in docs/performance.md")
    arguments = parser.parse_args()
    chosen = arguments.groups or list(GROUPS)
    print(machine.facts(), end="\n\n", flush=True)
    for name in chosen:
        start = time.perf_counter()
        print(f"{name}: {report(name, arguments.markdown)}\n({time.perf_counter() - start:.0f} s)\n", flush=True)


def report(name: str, as_markdown: bool = False) -> str:
    """The group's table under its first line, or why there is none."""
    about = (sys.modules[f"bench.{name}"].__doc__ or "").splitlines()[0]
    try:
        figures: list[Figure] = GROUPS[name]()
    except Absent as reason:
        return f"NOT MEASURED: {reason}"
    return f"{about}\n\n{markdown(figures)}" if as_markdown else f"{about}\n{table(figures)}"


if __name__ == "__main__":
    main()

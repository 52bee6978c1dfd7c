"""The C programs of bench/c: compiled where a compiler is there, run one round at a time."""

import shutil
import subprocess
from pathlib import Path

import msgspec

from bench.figure import Absent

SOURCES = Path(__file__).parent / "c"
BUILD = Path(__file__).parents[1] / "build" / "bench"
FLAGS = ("-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-pthread")
COMPILERS = ("cc", "gcc", "clang")


def samples(name: str, *arguments: object) -> list[float]:
    """What a run of the program measured: a JSON number a line. Absent without a compiler."""
    command = [str(program(name)), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    return msgspec.json.decode(f"[{','.join(done.stdout.split())}]", type=list[float])


def program(name: str) -> Path:
    """The executable, built anew when its source or the header is younger."""
    source, built = SOURCES / f"{name}.c", BUILD / name
    youngest = max(path.stat().st_mtime for path in (source, SOURCES / "guest.h"))
    if not built.exists() or built.stat().st_mtime < youngest:
        BUILD.mkdir(parents=True, exist_ok=True)
        subprocess.run([compiler(), *FLAGS, "-o", str(built), str(source)], check=True)
    return built


def compiler() -> str:
    found = next(filter(None, map(shutil.which, COMPILERS)), None)
    if found is None:
        raise Absent(f"NO C COMPILER HERE: none of {', '.join(COMPILERS)} on PATH. Install gcc and libc6-dev.")
    return found

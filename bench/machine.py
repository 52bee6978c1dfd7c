"""What the numbers were taken on; without it they say nothing."""

import os
import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path


def facts() -> str:
    """One fact a line."""
    return "\n".join(f"{name:10}{read()}" for name, read in _FACTS.items())


def _cpu() -> str:
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    model = models[0].partition(":")[2].strip() if models else platform.machine()
    return f"{model}, {len(os.sched_getaffinity(0))} CPUs to use"


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"


def _kvm() -> str:
    modules = sorted(path.name for path in Path("/sys/module").glob("kvm_*"))
    return f"{'there' if os.access('/dev/kvm', os.R_OK | os.W_OK) else 'no /dev/kvm'} {' '.join(modules)}"


def _load() -> str:
    return f"{os.getloadavg()[0]:.2f} over the last minute, before the first figure"


_FACTS: dict[str, Callable[[], str]] = {
    "cpu": _cpu,
    "memory": _memory,
    "kernel": lambda: f"{platform.system()} {platform.release()}",
    "kvm": _kvm,
    "python": lambda: f"{platform.python_version()}, numpy {version('numpy')}, unicorn {version('unicorn')}",
    "load": _load,
}

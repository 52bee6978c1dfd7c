"""Runs tests on real KVM of another kind: kvm_amd with nested paging, in a machine that QEMU emulates (docs/lanes.md).

usage: python -m tests.lanes.lane [--short | pytest arguments]. The exit status is pytest's; 0, with a loud word, when
skipped; 124 when the machine died or took too long, twice.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import IO

from tests.lanes import packed
from tests.lanes.newc import Newc

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ringfence" / "lane"
TIMEOUT, SHORT_TIMEOUT = 2400, 600
MEMORY = 2048
# Nothing of what the lane's machine has not: no cache of pytest's, no fixtures of the web's.
OPTIONS = ("-p", "no:cacheprovider", "--confcutdir=tests/engine", "--color=no", "--tb=short",
           "-o", "faulthandler_timeout=120")  # fmt: skip
# As many mappings as a process may have take minutes to make under emulation, and are the host's, whatever its KVM.
MAPPINGS = "tests/engine/hypervisor/kvm/test_views.py::test_more_runs_than_the_host_has_mappings_is_refused_and_undone"
# The simulator is the same everywhere; here it only stands beside KVM where a test compares the two.
CONTRACT = (
    "-q", "--ignore=tests/engine/hypervisor/sim", "--deselect", MAPPINGS, "-k", "not [sim and not [more",
    "tests/engine/hypervisor",
)  # fmt: skip
OWN = ("system_kinds", "trial", "undo", "rewind")
CONFORMANCE = ("-q", "-k", "not [sim", "tests/engine/conformance")
COMPARED = ("-q", "tests/engine/test_same.py", "tests/engine/test_differences.py")
# What makes this kind of KVM another: what it is, its differences, the code that only an EFAULT leads to, its Hyper-V.
OTHERNESS = (
    "tests/engine/test_differences.py",
    *(f"tests/engine/hypervisor/kvm/test_{name}.py" for name in OWN),
    "tests/engine/hypervisor/test_contract_kernel_hyperv.py",
    "tests/engine/machine/test_kernel_hyperv.py",
)
# Two processors: the checks of two subjects go along with the shorter half.
MOVED = "[kvm-slots or [kvm-dirty"
SHORT = (
    ("-q", "-k", f"not [sim and not ({MOVED})", "tests/engine/conformance"),
    (
        "-q",
        "-k",
        f"({MOVED} or not test_catalogue) and not [sim",
        "tests/engine/conformance/test_catalogue.py",
        *OTHERNESS,
    ),
)
FULL = (CONTRACT, (*CONFORMANCE, *COMPARED[1:], "tests/engine/machine"))
# Packages of before the merge of /usr put theirs into /lib.
LIBRARIES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu/pulseaudio")
APPEND = (
    "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off audit=0 nokaslr no_timer_check tsc=reliable "
    "random.trust_cpu=on rdinit=/init"
)
# One host thread emulates both processors in turn, so that neither meets code that the other is just rewriting.
ACCELERATOR = "tcg,thread=single"
Runs = tuple[tuple[str, ...], ...]
"""Arguments of pytests that run side by side."""
DIED = 124


class Missing(Exception):
    """The lane's kernel or QEMU cannot be had here."""


def fetched() -> Path:
    """The unpacked packages; Missing says what apt said."""
    CACHE.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(["bash", str(HERE / "fetch.sh"), str(CACHE)], capture_output=True, text=True, check=False)
    except OSError as error:
        raise Missing(str(error)) from error
    if done.returncode != 0:
        raise Missing((done.stderr or done.stdout).strip() or f"fetch.sh ended with {done.returncode}")
    return CACHE / "root"


def base_archive(root: Path) -> Path:
    """The part that seldom changes, made once for these packages and this kernel."""
    kernel = (CACHE / "ready").read_text()
    locks = (ROOT / "requirements-dev.lock").read_bytes() + (HERE / "packed.py").read_bytes()
    name = sha256(kernel.encode() + sys.version.encode() + sys.executable.encode() + locks).hexdigest()[:16]
    made = CACHE / f"base-{name}.cpio"
    if not made.exists():
        for older in CACHE.glob("base-*.cpio"):
            older.unlink()
        partial = made.with_suffix(f".{os.getpid()}")
        with partial.open("wb") as out:
            archive = Newc(out)
            packed.python(archive)
            packed.modules(archive, root)
            archive.end()
        partial.rename(made)
    return made


def project_archive(runs: Runs) -> bytes:
    with tempfile.TemporaryFile() as out:
        archive = Newc(out)
        for place in ("dev", "proc", "sys", "tmp"):
            archive.folder(place)
        packed.project(archive, ROOT)
        archive.file("/init", f"#!{sys.executable} -I\n".encode() + (HERE / "init.py").read_bytes(), executable=True)
        archive.file("/modules/order", "\n".join(packed.MODULES).encode())
        archive.file("/arguments", "\n".join("\0".join((*OPTIONS, *run)) for run in runs).encode())
        archive.end()
        out.seek(0)
        return out.read()


def qemu(root: Path, initrd: Path) -> list[str]:
    share = root / "usr/share"
    kernel = next((root / "boot").glob("vmlinuz-*"))
    return [
        str(root / "usr/bin/qemu-system-x86_64"), "-L", str(share / "seabios"), "-L", str(share / "qemu"),
        "-accel", ACCELERATOR, "-machine", "q35", "-cpu", "EPYC", "-smp", "2", "-m", str(MEMORY),
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio", "-monitor", "none",
        "-kernel", str(kernel), "-initrd", str(initrd), "-append", APPEND,
    ]  # fmt: skip


def boot(root: Path, initrd: Path, seconds: int) -> int:
    """Power the machine on; pytest's exit status once it is off, DIED when that is not within these seconds."""
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(str(root / place) for place in LIBRARIES)}
    began = time.monotonic()
    with tempfile.TemporaryFile() as errors:
        command = ["timeout", "-k", "5", str(seconds), *qemu(root, initrd)]
        nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
        machine = subprocess.Popen(command, stdin=nothing, stdout=pipe, stderr=errors, env=environment)
        assert machine.stdout is not None
        status = listen(machine.stdout)
        if machine.wait() != 0:
            errors.seek(0)
            print(errors.read().decode(errors="replace"), file=sys.stderr)
    print(f"lane: {time.monotonic() - began:.0f} s from power on to power off, status {status}")
    return status


def listen(console: IO[bytes]) -> int:
    """Print what the machine says until it is off; the status it tells, DIED when it tells none."""
    status = DIED
    for raw in console:
        line = raw.decode(errors="replace").rstrip()
        if line.startswith("@@STATUS "):
            status = int(line.split()[1])
        else:
            print(line, flush=True)
    return status


def try_twice(run: Callable[[], int]) -> int:
    """A machine that died is tried once more: its emulated kernel panicked now and then. A test that failed is not."""
    status = run()
    if status != DIED:
        return status
    print(
        f"RETRIED: the lane's machine died before its tests had ended (status {DIED}); this is the second and last try",
        flush=True,
    )
    return run()


def runs_of(arguments: list[str]) -> Runs:
    if arguments == ["--short"]:
        return SHORT
    return (tuple(arguments),) if arguments else FULL


def main(arguments: list[str]) -> int:
    try:
        root = fetched()
    except Missing as missing:
        print(f"SKIPPED: the lane (kvm_amd under emulation): its kernel and QEMU cannot be had here: {missing}")
        return 0
    runs = runs_of(arguments)
    with tempfile.NamedTemporaryFile(prefix="lane-") as initrd:
        initrd.write(base_archive(root).read_bytes() + project_archive(runs))
        initrd.flush()
        seconds = SHORT_TIMEOUT if runs is SHORT else TIMEOUT
        return try_twice(lambda: boot(root, Path(initrd.name), seconds))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The first and only program of the lane's machine: mounts, loads KVM, runs pytest, tells its status, turns off."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_RB_POWER_OFF = 0x4321FEDC
_SYS_FINIT_MODULE = 313
MOUNTS = (("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev"), ("tmpfs", "/dev/shm"))
PARAMETERS = {"kvm-amd": b"npt=1 nested=0"}
ENVIRONMENT = {"PYTHONPATH": "/project", "HOME": "/tmp", "PATH": "/bin", "PYTHONDONTWRITEBYTECODE": "1"}


def prepare() -> None:
    for kind, place in MOUNTS:
        Path(place).mkdir(parents=True, exist_ok=True)
        _must(_libc.mount(kind.encode(), place.encode(), kind.encode(), 0, None), f"mount {place}")
    for name in Path("/modules/order").read_text().split():
        with Path(f"/modules/{name}.ko").open("rb") as file:
            code = _libc.syscall(_SYS_FINIT_MODULE, file.fileno(), PARAMETERS.get(name, b""), 0)
        _must(code, f"load {name}")


def tests() -> int:
    arguments = Path("/arguments").read_text().split("\0")
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, cwd="/project", env=ENVIRONMENT, check=False).returncode


def _must(code: int, what: str) -> None:
    if code != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def main() -> None:
    # The first program must not end: whatever goes wrong is said, and the machine turned off.
    try:
        prepare()
        print(f"lane: kernel {os.uname().release}", flush=True)
        print(f"@@STATUS {tests()}", flush=True)
    except Exception as error:
        print(f"lane: FAILED before the tests: {error!r}", flush=True)
    os.sync()
    _libc.reboot(_RB_POWER_OFF)


if __name__ == "__main__":
    main()

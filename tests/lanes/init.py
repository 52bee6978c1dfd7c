"""The first and only program of the lane's machine: mounts, loads KVM, runs pytest, tells its status, turns off."""

import ctypes
import fcntl
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_RB_POWER_OFF = 0x4321FEDC
_SYS_FINIT_MODULE = 313
_KVM_CREATE_VM, _KVM_CREATE_VCPU = 0xAE01, 0xAE41
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


def keep_branches() -> tuple[int, int, int]:
    """A VM and a vCPU for as long as the machine is on.

    The first of each, and the end of the last, would have the kernel rewrite branches of its scheduler and of KVM in
    place (static keys preempt_notifier_key and kvm_has_noapic_vcpu). Tests make thousands, and under emulation a branch
    can be executed while it is half rewritten (seen: "Oops: int3" in __schedule).
    """
    kvm = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    vm = fcntl.ioctl(kvm, _KVM_CREATE_VM, 0)
    return kvm, vm, fcntl.ioctl(vm, _KVM_CREATE_VCPU, 0)


def tests() -> int:
    """Each line of /arguments is a pytest of its own, side by side; the first status that is not 0."""
    lines = Path("/arguments").read_text().split("\n")
    started = [_start(line.split("\0"), number) for number, line in enumerate(lines)]
    statuses: list[int] = []
    for one, output in started:
        statuses.append(one.wait())
        if output:
            print(output.read_text(), flush=True)
    return next((status for status in statuses if status), 0)


def _start(arguments: list[str], number: int) -> tuple["subprocess.Popen[bytes]", Path | None]:
    """The first says at once what it has to say; the others to a file, so that lines do not mix."""
    command, output = [sys.executable, "-m", "pytest", *arguments], Path(f"/tmp/output-{number}") if number else None
    with output.open("wb") if output else nullcontext() as out:
        started = subprocess.Popen(command, cwd="/project", env=ENVIRONMENT, stdout=out, stderr=out)
    return started, output


def _must(code: int, what: str) -> None:
    if code != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def main() -> None:
    # The first program must not end: whatever goes wrong is said, and the machine turned off.
    try:
        prepare()
        keep_branches()
        print(f"lane: kernel {os.uname().release}", flush=True)
        print(f"@@STATUS {tests()}", flush=True)
    except Exception as error:
        print(f"lane: FAILED before the tests: {error!r}", flush=True)
    os.sync()
    _libc.reboot(_RB_POWER_OFF)


if __name__ == "__main__":
    main()

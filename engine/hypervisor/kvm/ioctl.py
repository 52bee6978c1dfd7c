"""The one place that calls ioctl: an errno becomes a HypervisorError that names the call, EINTR is tried again."""

import ctypes
import fcntl
from collections.abc import Callable
from functools import partial

from engine.abi.kvm import Ioctl
from engine.hypervisor.contract.errors import HypervisorError

Argument = bytearray | ctypes.Structure | ctypes.Array[ctypes.c_char] | int
About = tuple[str, object, str]
NOTHING: About = ("", None, "")
CLOSED = (1 << 31) - 1
"""In place of one that was closed, whose number may soon be another vm's: no process can have this one open."""


def call(fd: int, request: Ioctl, argument: Argument = 0, about: About = NOTHING) -> int:
    """Issue `request`; structs are read and written in place.

    `about` is the argument a failure should name, its value and the rule it would have broken.
    """
    while True:
        try:
            return fcntl.ioctl(fd, request, argument)  # type: ignore[arg-type]
        except InterruptedError:
            continue
        except OSError as error:
            raise HypervisorError(error.errno or 0, request.name, *about) from error


def caller(fd: int, request: Ioctl) -> Callable[[Argument, About], int]:
    """`call` for what is called often: one Python call and one ioctl, where most of a microsecond counts."""
    ioctl, number = fcntl.ioctl, int(request)

    def issue(argument: Argument, about: About = NOTHING) -> int:
        while True:
            try:
                return ioctl(fd, number, argument)  # type: ignore[arg-type]
            except InterruptedError:
                continue
            except OSError as error:
                raise HypervisorError(error.errno or 0, request.name, *about) from error

    return issue


def runner(fd: int) -> Callable[[], object]:
    """KVM_RUN on a vCPU fd in its leanest form: raises InterruptedError when kicked, OSError with the raw errno else.

    Without a third argument, fcntl.ioctl costs a third of what it does with an int (measured).
    """
    return partial(fcntl.ioctl, fd, int(Ioctl.KVM_RUN))

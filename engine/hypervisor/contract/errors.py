"""Errors that say whose fault: the kernel's answer, or this host's limits."""

import errno as _errno
import os


class HypervisorError(OSError):
    """A call was answered with an errno: which call, which argument, its value, and the rule it broke."""

    def __init__(self, errno: int, call: str, argument: str = "", value: object = None, rule: str = "") -> None:
        shown = f"{value:#x}" if isinstance(value, int) else str(value)
        where = f" {argument}={shown}" if argument else ""
        name = _errno.errorcode.get(errno, str(errno))
        super().__init__(errno, f"{call}{where}: {name}: {rule or os.strerror(errno)}")
        self.call, self.argument, self.value, self.rule = call, argument, value, rule


def closed(call: str) -> HypervisorError:
    """EBADF, as from the kernel for a descriptor that has been closed."""
    return HypervisorError(_errno.EBADF, call, rule="the vm is closed")


class Unsupported(Exception):
    """This host cannot: `ability` is what was asked for, `reason` why not and what would help."""

    def __init__(self, ability: str, reason: str) -> None:
        super().__init__(f"{ability}: {reason}")
        self.ability, self.reason = ability, reason


class HypervisorMissing(Unsupported):
    """The hypervisor itself is not there (no device, no permission, no library)."""

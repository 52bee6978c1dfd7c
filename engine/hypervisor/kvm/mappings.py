"""How many mappings guests may take of those that one process may have (vm.max_map_count).

Each slot is a mapping in each VTL, and each change of rights along a slot splits one. At the very limit the process
itself gets no memory any more, so an eighth is left to it.
"""

import errno
from functools import lru_cache
from pathlib import Path

from engine.hypervisor.contract.errors import HypervisorError


@lru_cache(maxsize=1)
def limit() -> int:
    """Of a process, as the kernel counts."""
    return int(Path("/proc/sys/vm/max_map_count").read_text())


def rule() -> str:
    return f"at most {limit()} mappings a process (sysctl vm.max_map_count): use fewer, longer runs of equal masks"


def require(count: int, call: str, argument: str, value: object) -> None:
    """ENOMEM when a guest would have more than its share."""
    if count > limit() - limit() // 8:
        raise HypervisorError(errno.ENOMEM, call, argument, value, rule())

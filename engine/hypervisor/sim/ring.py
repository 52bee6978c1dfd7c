"""A dirty ring as pure data (api.rst 8.29), and KVM's rules for its size."""

import errno

from engine.hypervisor.contract.errors import HypervisorError
from engine.model.dirty import DirtyPage

ENTRY = 16
"""sizeof(struct kvm_dirty_gfn)."""
RingState = tuple[tuple[DirtyPage, ...], tuple[DirtyPage, ...]]
"""Dirty entries, harvested entries."""
LEAST, MOST = 4096, 1 << 20
RESERVED = 64
"""Entries kept free, KVM_DIRTY_RING_RSVD_ENTRIES: the soft limit is that much below the size."""


def check_ring(size: int, on: bool, vcpus: int) -> None:
    """HypervisorError, in the kernel's order of checks, when a ring of `size` bytes may not be turned on."""
    _require(size > 0 and not size & (size - 1), size, "must be a power of two")
    _require(size >= LEAST, size, f"at least {LEAST:#x} bytes")
    _require(size <= MOST, size, f"at most {MOST:#x} bytes", errno.E2BIG)
    _require(not on, size, "a ring is on already")
    _require(not vcpus, size, "rings come before vCPUs")


class Ring:
    """One vCPU's in one VTL. Entries are dirty, then harvested, then reset; only then is there room again."""

    def __init__(self, size: int) -> None:
        self._soft_limit = size // ENTRY - RESERVED
        self._dirty: list[DirtyPage] = []
        self._harvested: list[DirtyPage] = []

    @property
    def full(self) -> bool:
        """At its soft limit."""
        return len(self._dirty) + len(self._harvested) >= self._soft_limit

    def state(self) -> RingState:
        """For a snapshot."""
        return tuple(self._dirty), tuple(self._harvested)

    def restore(self, state: RingState) -> None:
        self._dirty, self._harvested = list(state[0]), list(state[1])

    def push(self, page: DirtyPage) -> None:
        self._dirty.append(page)

    def harvest(self) -> list[DirtyPage]:
        """What is dirty, oldest first."""
        found, self._dirty = self._dirty, []
        self._harvested += found
        return found

    def reset(self) -> list[DirtyPage]:
        """The harvested entries, which are free now."""
        found, self._harvested = self._harvested, []
        return found


def _require(held: bool, size: int, rule: str, number: int = errno.EINVAL) -> None:
    if not held:
        raise HypervisorError(number, "KVM_CAP_DIRTY_LOG_RING", "size", size, rule)

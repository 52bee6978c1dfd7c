"""Changes to memslots in one step, as proposed: a list of regions, and the dirty log with its slot's end.

vCPUs enter the guest between calls alone, so a call that comes back has been one step for all of them.
"""

import errno

from msgspec.structs import replace

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.sim.space import Space
from engine.model.memslot import Memslot

MOST = 64
_CALL = "KVM_SET_USER_MEMORY_REGION_LIST"


class SimRegions:
    """AtomicRegions of the contract."""

    def __init__(self, space: Space) -> None:
        self._space = space

    def set_memory_regions(self, regions: tuple[Memslot, ...]) -> None:
        if not regions:
            raise HypervisorError(errno.EINVAL, _CALL, "regions", 0, "at least one")
        if len(regions) > MOST:
            raise HypervisorError(errno.E2BIG, _CALL, "regions", len(regions), f"at most {MOST}")
        before = self._space.state()
        try:
            for region in regions:
                self._space.set_memory_region(region)
        except HypervisorError:
            self._space.restore(before)
            raise


class SimHarvest:
    """AtomicHarvest of the contract."""

    def __init__(self, space: Space) -> None:
        self._space = space

    def get_dirty_log_and_delete(self, slot: int) -> bytes:
        bitmap = self._space.get_dirty_log(slot)
        self._space.set_memory_region(replace(self._space.slots.by_id[slot], size=0))
        return bitmap

"""What has been proposed for KVM and is in no kernel, as a vm of the simulator has it (docs/proposals.md)."""

from typing import Any

from engine.hypervisor.contract.extensions import (
    AtomicHarvest,
    AtomicRegions,
    KickAll,
    MemoryAttributes,
    PermissionBitmap,
)
from engine.hypervisor.sim.atomic import SimHarvest, SimRegions
from engine.hypervisor.sim.kick_all import SimKickAll
from engine.hypervisor.sim.permissions import SimAttributes, SimPermissions
from engine.hypervisor.sim.space import Space

PROPOSALS: tuple[type, ...] = (PermissionBitmap, MemoryAttributes, KickAll, AtomicRegions, AtomicHarvest)


def proposals(space: Space, kick_all: SimKickAll) -> dict[type, Any]:
    """Each of PROPOSALS for one vm."""
    return {
        PermissionBitmap: SimPermissions(space),
        MemoryAttributes: SimAttributes(space),
        KickAll: kick_all,
        AtomicRegions: SimRegions(space),
        AtomicHarvest: SimHarvest(space),
    }

"""Execute rights of ring 3 apart from those of ring 0, as an EPT with mode-based execute control (SDM Vol. 3, 30.3.3).

TLFS's rule is by the ring, Intel's by the U bit of the page; without SMEP, which no guest here has, they differ where
ring 0 executes a page of ring 3: KX governs that.
"""

import errno

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.contract.masks import require_vtl
from engine.hypervisor.sim.space import Space
from engine.hypervisor.sim.vcpu import SimVcpu


class SimMbec:
    """ModeBasedExecution of the contract."""

    def __init__(self, space: Space, vcpus: dict[int, SimVcpu]) -> None:
        self._space, self._vcpus = space, vcpus

    def set_mbec(self, vcpu: int, vtl: int, on: bool) -> None:
        require_vtl("set_mbec", vtl, self._space.vtls)
        if vcpu not in self._vcpus:
            raise HypervisorError(errno.EINVAL, "set_mbec", "vcpu", vcpu, "no such vCPU")
        self._vcpus[vcpu].set_mbec(vtl, on)

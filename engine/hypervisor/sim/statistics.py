"""The kernel's counters that mean something in a simulator, by the kernel's names (KVM_GET_STATS_FD, api.rst 4.133)."""

import errno
from collections.abc import Mapping

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.sim.space import Space
from engine.hypervisor.sim.vcpu import SimVcpu


class SimStatistics:
    """Statistics of the contract.

    Of a vCPU: exits, io_exits, mmio_exits (to the void and to READONLY slots), halt_exits, signal_exits (kicks),
    insn_emulation (instructions tried out before they happened), tlb_flush. Of the vm: remote_tlb_flush, the changes
    after which every vCPU forgets its translations.
    """

    def __init__(self, space: Space, vcpus: Mapping[int, SimVcpu]) -> None:
        self._space, self._vcpus = space, vcpus

    def of_vm(self) -> dict[str, int]:
        return {"remote_tlb_flush": self._space.generation}

    def of_vcpu(self, index: int) -> dict[str, int]:
        vcpu = self._vcpus.get(index)
        if vcpu is None:
            raise HypervisorError(errno.EINVAL, "statistics", "vcpu", index, "this vm has no such vCPU")
        return vcpu.counters()

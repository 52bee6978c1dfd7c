"""Whole machines kept and gone back to (contract Snapshots): registers, space, rings, exits, RAM's changed pages."""

import errno

import msgspec

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.contract.extensions import Snapshot
from engine.hypervisor.sim.code_pages import CodePages
from engine.hypervisor.sim.past import Past
from engine.hypervisor.sim.ram import Ram
from engine.hypervisor.sim.space import Space, SpaceState
from engine.hypervisor.sim.vcpu import SimVcpu, VcpuState


class MachineState(msgspec.Struct, frozen=True):
    """A machine at a moment. An exit that waits for its answer waits again once it is restored."""

    space: SpaceState
    past: Past
    vcpus: dict[int, VcpuState]


class SimSnapshots:
    """Of one vm, between runs."""

    def __init__(self, space: Space, ram: Ram, code: CodePages, vcpus: dict[int, SimVcpu]) -> None:
        self._space, self._ram, self._code, self._vcpus = space, ram, code, vcpus

    def take(self) -> MachineState:
        self._ram.require_open("take")
        vcpus = {index: vcpu.state() for index, vcpu in self._vcpus.items()}
        # The next write to each page must be told again, to the past.
        self._space.generation += 1
        return MachineState(self._space.state(), self._ram.past.take(), vcpus)

    def restore(self, snapshot: Snapshot) -> None:
        if not isinstance(snapshot, MachineState) or snapshot.past.of is not self._ram.past:
            raise HypervisorError(errno.EINVAL, "restore", "snapshot", rule="it is of another vm")
        self._ram.require_open("restore")
        if snapshot.vcpus.keys() != self._vcpus.keys():
            raise HypervisorError(errno.EINVAL, "restore", "snapshot", rule="it has other vCPUs")
        for page in self._ram.past.go_to(snapshot.past):
            self._code.host_wrote(page)
        self._space.restore(snapshot.space)
        for index, state in snapshot.vcpus.items():
            self._vcpus[index].restore(state)

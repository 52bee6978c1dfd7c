"""The hypervisor a session runs on, and why it is not real KVM when it is not."""

import time
from collections.abc import Callable

import msgspec

from engine.hypervisor.choose import choose
from engine.hypervisor.contract.protocols import Hypervisor
from engine.machine.machine import Machine
from engine.model.rights import Rights, rights_text
from engine.model.scenario import HypervisorChoice, Scenario


class Host(msgspec.Struct, frozen=True):
    hypervisor: Hypervisor
    why_not_kvm: str


def clock_of(machine: Machine) -> Callable[[], int]:
    """The run's clock: executed guest instructions where they are counted, else host ns from now."""
    if machine.vm.capabilities.counts_instructions:
        return lambda: machine.instructions or 0
    start = time.monotonic_ns()
    return lambda: time.monotonic_ns() - start


def host_for(scenario: Scenario, asked: HypervisorChoice) -> Host:
    """The hypervisor asked for, or the scenario's own choice for `auto`. HypervisorMissing when it is not there.

    `auto` means real KVM wherever it can run this scenario as written: a mask it cannot enforce, or a ring
    it has not, leads to the simulator.
    """
    wanted = scenario.hypervisor if asked == "auto" else asked
    hypervisor, why = choose(wanted)
    if wanted == "auto" and (cannot := _unenforceable(hypervisor, scenario)):
        hypervisor, _ = choose("sim")
        why = cannot
    return Host(hypervisor, why)


def _unenforceable(hypervisor: Hypervisor, scenario: Scenario) -> str:
    host = hypervisor.capabilities
    for mask in scenario.masks:
        if not host.enforces(Rights(mask.rights)):
            return f"{host.label} cannot enforce mask {rights_text(Rights(mask.rights))}: {host.mask_reason}"
    if scenario.dirty == "ring" and not host.ring_bytes:
        return f"{host.label} has no dirty ring"
    return ""

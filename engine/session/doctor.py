"""Can this host do it: each hypervisor, what it can enforce, and what to do where it cannot."""

import os
import platform

import msgspec

from engine.hypervisor.choose import choose
from engine.hypervisor.contract.capabilities import Capabilities
from engine.hypervisor.contract.errors import HypervisorMissing
from engine.model.rights import Rights, is_valid_mask, rights_text
from engine.model.scenario import HypervisorChoice


class Finding(msgspec.Struct, frozen=True):
    """One hypervisor on this host; `problem` is empty when it can be used, else says what is wrong and the fix."""

    hypervisor: str
    usable: bool
    problem: str
    label: str = ""
    clock: str = ""
    max_slots: int = 0
    masks: list[str] = []
    refused_masks: list[str] = []
    mask_reason: str = ""
    ring_bytes: int = 0
    """The largest dirty ring; 0: none."""
    ring_reason: str = ""
    """Why a dirty ring can lose pages here; empty where it cannot."""
    single_step: bool = False
    """A vCPU can be run for one instruction."""
    step_reason: str = ""
    """Why it cannot."""
    extensions: list[str] = []
    """What a vm has besides (contract/extensions.py)."""
    lacks: dict[str, str] = {}
    """Why not, for each of the others."""


class Report(msgspec.Struct, frozen=True):
    kernel: str
    python: str
    cpus: int
    default: str
    """What `auto` leads to here."""
    findings: list[Finding]


def report() -> Report:
    return Report(
        kernel=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        cpus=os.cpu_count() or 1,
        default=choose("auto")[0].capabilities.label,
        findings=[_examine("kvm"), _examine("sim")],
    )


def _examine(name: HypervisorChoice) -> Finding:
    try:
        hypervisor, _ = choose(name)
    except HypervisorMissing as missing:
        return Finding(hypervisor=name, usable=False, problem=missing.reason)
    return _finding(hypervisor.capabilities)


def _finding(host: Capabilities) -> Finding:
    valid = [Rights(mask) for mask in range(16) if is_valid_mask(Rights(mask), mbec=True)]
    return Finding(
        hypervisor=host.name,
        usable=True,
        problem="",
        label=host.label,
        clock=host.clock,
        max_slots=host.max_slots,
        masks=host.mask_texts(),
        refused_masks=[rights_text(mask) for mask in valid if not host.enforces(mask)],
        mask_reason=host.mask_reason,
        ring_bytes=host.ring_bytes,
        ring_reason=host.ring_reason,
        single_step=host.counts_instructions or host.single_step,
        step_reason=host.step_reason,
        extensions=list(host.extensions),
        lacks=host.lacks,
    )

"""A scenario: everything needed to run a machine again. Text and validation: engine.model.text, engine.model.check."""

from typing import Any, Literal

import msgspec

from engine.model.dirty import DirtyWay
from engine.model.memslot import Memslot

OnProtection = Literal["complete", "drop", "halt", "relax", "inject", "intercept"]
HypervisorChoice = Literal["auto", "kvm", "sim"]
VsmProfile = Literal["tlfs", "openvmm", "kut-vsm"]
HyperV = Literal["vmm", "kernel"]

SCENARIO_VERSION = 1


class Vtl1Spec(msgspec.Struct, frozen=True):
    """What VTL1 will run, at gpa `base`: a built-in guest with parameters, or assembly; exactly one of the two."""

    base: int
    guest: str | None = None
    params: dict[str, int] = {}
    asm: str | None = None


class VcpuSpec(msgspec.Struct, frozen=True):
    """A vCPU: a built-in guest with parameters, or assembly; exactly one of `guest` and `asm` is given."""

    guest: str | None = None
    params: dict[str, int] = {}
    asm: str | None = None
    vtl: int = 0
    vtl1: Vtl1Spec | msgspec.UnsetType = msgspec.UNSET
    """Unset, it is absent from the canonical form, as in scenarios from before there was such a thing."""
    waits: Literal[True] | msgspec.UnsetType = msgspec.UNSET
    """It does not run before StartVirtualProcessor starts it. Unset as vtl1."""


class MaskSpec(msgspec.Struct, frozen=True):
    """What VTL `vtl` may do to `pages` pages at gpa `base`."""

    base: int
    pages: int
    rights: int
    vtl: int = 0


class After(msgspec.Struct, frozen=True):
    """When a script entry is due: exactly one of these is set. `seconds` is host time."""

    exits: int | None = None
    protection: int | None = None
    instructions: int | None = None
    seconds: float | None = None


class ScriptEntry(msgspec.Struct, frozen=True):
    """What the VMM does by itself, once: a command (engine.model.commands) as builtins, `{"do": "set_mask", ...}`."""

    after: After
    command: dict[str, Any]


class Limits(msgspec.Struct, frozen=True):
    """The run ends at whichever is reached first; None: no such limit. `seconds` is host time in the guest."""

    exits: int | None = None
    instructions: int | None = None
    seconds: float | None = None


class Scenario(msgspec.Struct, frozen=True):
    """Sizes and addresses in bytes. Made by engine.model.text.parse_scenario, which has checked it."""

    name: str
    ram: int
    slots: tuple[Memslot, ...]
    vcpus: tuple[VcpuSpec, ...]
    version: int = SCENARIO_VERSION
    about: str = ""
    hypervisor: HypervisorChoice = "auto"
    seed: int = 1
    masks: tuple[MaskSpec, ...] = ()
    on_protection: OnProtection = "complete"
    script: tuple[ScriptEntry, ...] = ()
    limits: Limits = Limits()
    dirty: DirtyWay = "log"
    """How written pages are told."""
    vtls: int = 2
    """How many VTLs the guest may have: VTL0 and those above."""
    vsm_profile: VsmProfile = "tlfs"
    """How hypercalls are read where the sources disagree (engine.vsm.profile)."""
    hyperv: HyperV = "vmm"
    """Whose Hyper-V the guest finds: the VMM's, or the kernel's own (contract.extensions.KernelHyperV)."""

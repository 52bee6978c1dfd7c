"""Which hypervisor a machine runs on: the one asked for, or with `auto` real KVM and else the simulator."""

from engine.hypervisor.contract.errors import HypervisorMissing
from engine.hypervisor.contract.protocols import Hypervisor
from engine.hypervisor.kvm.system import KvmHypervisor


def choose(name: str) -> tuple[Hypervisor, str]:
    """The hypervisor for `auto`, `kvm` or `sim`, and why it is not KVM (empty when it is, or was not wanted).

    HypervisorMissing when the one asked for is not there; ValueError for another name.
    """
    match name:
        case "kvm":
            return KvmHypervisor(), ""
        case "sim":
            return _simulator(), ""
        case "auto":
            return _automatic()
        case _:
            raise ValueError(f"hypervisor {name!r}: choose auto, kvm or sim")


def _automatic() -> tuple[Hypervisor, str]:
    try:
        return KvmHypervisor(), ""
    except HypervisorMissing as missing:
        return _simulator(), missing.reason


def _simulator() -> Hypervisor:
    # Imported only here: a host with KVM need not load the emulator.
    from engine.hypervisor.sim.partition import SimHypervisor

    return SimHypervisor()

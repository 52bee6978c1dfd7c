"""What CPUID tells a guest of this hypervisor (TLFS, Feature and Interface Discovery), from the partition's state."""

import struct
from collections.abc import Iterable

from msgspec.structs import replace

from engine.abi.tlfs import discovery
from engine.model.cpuid import CpuidLeaf
from engine.vsm.state import PartitionState

_LOW = 0xFFFF_FFFF
_FEATURES = 1
_HYPERVISOR_CLASS = 0x4


def announced(own: Iterable[CpuidLeaf], partition: PartitionState) -> tuple[CpuidLeaf, ...]:
    """A processor's own leaves, with those of this hypervisor in place of any other's."""
    kept = [leaf for leaf in own if leaf.function >> 28 != _HYPERVISOR_CLASS]
    present = discovery.HYPERVISOR_PRESENT
    kept = [replace(leaf, ecx=leaf.ecx | present) if leaf.function == _FEATURES else leaf for leaf in kept]
    return (*kept, *leaves(partition))


def leaves(partition: PartitionState) -> tuple[CpuidLeaf, ...]:
    """Those that an Hv#1 hypervisor has at least. Its version is not told: zeros."""
    privileges = partition.privileges
    return (
        CpuidLeaf(discovery.VENDOR_LEAF, None, discovery.LIMITS_LEAF, *struct.unpack("<3I", discovery.VENDOR)),
        CpuidLeaf(discovery.INTERFACE_LEAF, None, *struct.unpack("<I", discovery.INTERFACE)),
        CpuidLeaf(discovery.IDENTITY_LEAF),
        CpuidLeaf(discovery.FEATURES_LEAF, None, privileges & _LOW, privileges >> 32, 0, _facilities(partition)),
        CpuidLeaf(discovery.RECOMMENDATIONS_LEAF, None, 0, discovery.NEVER_NOTIFY),
        CpuidLeaf(discovery.LIMITS_LEAF, None, len(partition.vps)),
    )


def _facilities(partition: PartitionState) -> int:
    """Of Hypervisor Feature Identification, EDX."""
    found = discovery.FEATURE_HYPERCALL_MSR_LOCK
    found |= discovery.FEATURE_XMM_INPUT if partition.xmm_input else 0
    return found | (discovery.FEATURE_XMM_OUTPUT if partition.xmm_output else 0)

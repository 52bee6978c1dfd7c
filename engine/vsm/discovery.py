"""What CPUID tells a guest of this hypervisor (TLFS, Feature and Interface Discovery), from the partition's state."""

import struct

from engine.abi.tlfs import discovery
from engine.model.cpuid import CpuidLeaf
from engine.vsm.state import PartitionState

_LOW = 0xFFFF_FFFF


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

"""Why a vm on KVM lacks what the contract has as an extension."""

LACKS = {
    "PermissionBitmap": "in no kernel: proposed as KVM_SET_MEMORY_REGION_PERM in October 2022, it became "
    "KVM_SET_MEMORY_ATTRIBUTES (Linux 6.8), of which only PRIVATE was merged",
    "MemoryAttributes": "in no kernel: NR, NW and NX of KVM_SET_MEMORY_ATTRIBUTES were posted in June 2024 and not "
    "merged; PRIVATE is the only attribute, and needs guest_memfd",
    "KickAll": "in no kernel: KVM_KICK_ALL_RUNNING_VCPUS was posted in October 2022 and rejected; a signal to each "
    "vCPU's thread does the same",
    "AtomicRegions": "in no kernel: KVM_SET_USER_MEMORY_REGION_LIST was posted in September 2022 and withdrawn; QEMU "
    "stops its vCPUs around the changes instead",
    "AtomicHarvest": "in no kernel: the gap between KVM_GET_DIRTY_LOG and the slot's end was named in October 2022, "
    "and no call that closes it was posted; write-protect the slot's memory before both",
    "ModeBasedExecution": "KVM keeps one execute right a page for all rings: the second one of Intel's page tables "
    "is for nested guests alone, and host page protection has none for the guest's rings",
    "Snapshots": "no call of KVM's saves a guest: RAM would be copied whole, with every vCPU stopped",
}
"""By the extension's name (contract/extensions.py)."""

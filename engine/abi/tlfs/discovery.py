"""CPUID leaves of a hypervisor with the interface Hv#1 (TLFS, Feature and Interface Discovery)."""

VENDOR_LEAF = 0x4000_0000
INTERFACE_LEAF = 0x4000_0001
IDENTITY_LEAF = 0x4000_0002
FEATURES_LEAF = 0x4000_0003
RECOMMENDATIONS_LEAF = 0x4000_0004
LIMITS_LEAF = 0x4000_0005

VENDOR = b"Microsoft Hv"
"""EBX, ECX, EDX of VENDOR_LEAF: "only for reporting and diagnostic purposes", and yet Linux asks for it."""
INTERFACE = b"Hv#1"
"""EAX of INTERFACE_LEAF."""

# FEATURES_LEAF, EDX.
FEATURE_XMM_INPUT = 1 << 4
FEATURE_XMM_OUTPUT = 1 << 15
FEATURE_HYPERCALL_MSR_LOCK = 1 << 18

NEVER_NOTIFY = 0xFFFF_FFFF
"""RECOMMENDATIONS_LEAF, EBX: a spinlock that is not had is never reported."""

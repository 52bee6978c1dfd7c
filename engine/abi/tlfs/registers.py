"""Register names (TLFS, HV_REGISTER_NAME) as far as a lab needs them, and the bits of the VSM registers."""

import ctypes
from enum import IntEnum


class RegisterName(IntEnum):
    """HvRegister* and HvX64Register*."""

    PENDING_EVENT0 = 0x10004
    RAX = 0x20000
    RCX = 0x20001
    RDX = 0x20002
    RBX = 0x20003
    RSP = 0x20004
    RBP = 0x20005
    RSI = 0x20006
    RDI = 0x20007
    R8 = 0x20008
    R9 = 0x20009
    R10 = 0x2000A
    R11 = 0x2000B
    R12 = 0x2000C
    R13 = 0x2000D
    R14 = 0x2000E
    R15 = 0x2000F
    RIP = 0x20010
    RFLAGS = 0x20011
    XMM0 = 0x30000
    """And 15 more."""
    CR0 = 0x40000
    CR2 = 0x40001
    CR3 = 0x40002
    CR4 = 0x40003
    CR8 = 0x40004
    DR7 = 0x50005
    ES = 0x60000
    CS = 0x60001
    SS = 0x60002
    DS = 0x60003
    FS = 0x60004
    GS = 0x60005
    LDTR = 0x60006
    TR = 0x60007
    IDTR = 0x70000
    GDTR = 0x70001
    EFER = 0x80001
    KERNEL_GS_BASE = 0x80002
    APIC_BASE = 0x80003
    PAT = 0x80004
    SYSENTER_CS = 0x80005
    SYSENTER_EIP = 0x80006
    SYSENTER_ESP = 0x80007
    STAR = 0x80008
    LSTAR = 0x80009
    CSTAR = 0x8000A
    SFMASK = 0x8000B
    HYPERCALL = 0x90001
    GUEST_OS_ID = 0x90002
    VP_INDEX = 0x90003
    TPR = 0x90012
    VP_ASSIST_PAGE = 0x90013
    SINT0 = 0xA0000
    SINT15 = 0xA000F
    SCONTROL = 0xA0010
    SVERSION = 0xA0011
    SIEFP = 0xA0012
    SIMP = 0xA0013
    EOM = 0xA0014
    VSM_CODE_PAGE_OFFSETS = 0xD0002
    VSM_VP_STATUS = 0xD0003
    VSM_PARTITION_STATUS = 0xD0004
    VSM_VINA = 0xD0005
    VSM_CAPABILITIES = 0xD0006
    VSM_PARTITION_CONFIG = 0xD0007
    GUEST_VSM_PARTITION_CONFIG = 0xD0008
    VSM_VP_SECURE_CONFIG_VTL0 = 0xD0010
    VSM_VP_SECURE_CONFIG_VTL14 = 0xD001E
    VSM_VP_WAIT_FOR_TLB_LOCK = 0xD0020
    CR_INTERCEPT_CONTROL = 0xE0000


class VsmCodePageOffsets(ctypes.LittleEndianStructure):
    """Where in the hypercall page the VTL call and return sequences are."""

    _fields_ = (
        ("vtl_call", ctypes.c_uint64, 12),
        ("vtl_return", ctypes.c_uint64, 12),
        ("reserved", ctypes.c_uint64, 40),
    )


class VsmVpStatus(ctypes.LittleEndianStructure):
    """Read only, one a VP, the same from every VTL."""

    _fields_ = (
        ("active_vtl", ctypes.c_uint64, 4),
        ("active_mbec", ctypes.c_uint64, 1),
        ("reserved1", ctypes.c_uint64, 11),
        ("enabled_vtls", ctypes.c_uint64, 16),
        ("reserved2", ctypes.c_uint64, 32),
    )


class VsmPartitionStatus(ctypes.LittleEndianStructure):
    """Read only, one a partition."""

    _fields_ = (
        ("enabled_vtls", ctypes.c_uint64, 16),
        ("maximum_vtl", ctypes.c_uint64, 4),
        ("mbec_vtls", ctypes.c_uint64, 16),
        ("reserved", ctypes.c_uint64, 28),
    )


class VsmVina(ctypes.LittleEndianStructure):
    """Virtual interrupt notification assist, one a VP and VTL; the reserved bits are kept as written (RsvdP)."""

    _fields_ = (
        ("vector", ctypes.c_uint64, 8),
        ("enabled", ctypes.c_uint64, 1),
        ("auto_reset", ctypes.c_uint64, 1),
        ("auto_eoi", ctypes.c_uint64, 1),
        ("reserved", ctypes.c_uint64, 53),
    )


class VsmCapabilitiesHighFirst(ctypes.LittleEndianStructure):
    """VsmCapabilities as the table in TLFS has it: from bit 63 down."""

    _fields_ = (
        ("reserved", ctypes.c_uint64, 46),
        ("deny_lower_vtl_startup", ctypes.c_uint64, 1),
        ("mbec_vtls", ctypes.c_uint64, 16),
        ("dr6_shared", ctypes.c_uint64, 1),
    )


class VsmCapabilitiesLowFirst(ctypes.LittleEndianStructure):
    """VsmCapabilities as hvgdk_mini.h and openvmm's hvdef have it: from bit 0 up."""

    _fields_ = (
        ("dr6_shared", ctypes.c_uint64, 1),
        ("mbec_vtls", ctypes.c_uint64, 16),
        ("deny_lower_vtl_startup", ctypes.c_uint64, 1),
        ("reserved", ctypes.c_uint64, 46),
    )


class VsmPartitionConfig(ctypes.LittleEndianStructure):
    """One a partition and VTL above 0. Bits 7, 8 and from 10 are named in hvdef only."""

    _fields_ = (
        ("enable_vtl_protection", ctypes.c_uint64, 1),
        ("default_vtl_protection_mask", ctypes.c_uint64, 4),
        ("zero_memory_on_reset", ctypes.c_uint64, 1),
        ("deny_lower_vtl_startup", ctypes.c_uint64, 1),
        ("intercept_acceptance", ctypes.c_uint64, 1),
        ("intercept_enable_vtl_protection", ctypes.c_uint64, 1),
        ("intercept_vp_startup", ctypes.c_uint64, 1),
        ("intercept_cpuid_unimplemented", ctypes.c_uint64, 1),
        ("intercept_unrecoverable_exception", ctypes.c_uint64, 1),
        ("intercept_page", ctypes.c_uint64, 1),
        ("intercept_restore_partition_time", ctypes.c_uint64, 1),
        ("intercept_not_present", ctypes.c_uint64, 1),
        ("intercept_system_reset", ctypes.c_uint64, 1),
        ("reserved", ctypes.c_uint64, 48),
    )


class VsmVpSecureConfig(ctypes.LittleEndianStructure):
    """HV_REGISTER_VSM_VP_SECURE_VTL_CONFIG: each VTL has one for every lower VTL."""

    _fields_ = (
        ("mbec_enabled", ctypes.c_uint64, 1),
        ("tlb_locked", ctypes.c_uint64, 1),
        ("reserved", ctypes.c_uint64, 62),
    )

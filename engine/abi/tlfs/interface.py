"""How a hypercall is made (TLFS, Hypercall Interface): call codes, input and result value, partition and VP numbers."""

import ctypes
from enum import IntEnum


class CallCode(IntEnum):
    """HvCall*, bits 15:0 of the input value."""

    SendSyntheticClusterIpi = 0x000B
    ModifyVtlProtectionMask = 0x000C
    EnablePartitionVtl = 0x000D
    EnableVpVtl = 0x000F
    VtlCall = 0x0011
    VtlReturn = 0x0012
    InstallIntercept = 0x004D
    GetVpRegisters = 0x0050
    SetVpRegisters = 0x0051
    TranslateVirtualAddress = 0x0052
    PostMessage = 0x005C
    SignalEvent = 0x005D
    StartVirtualProcessor = 0x0099
    GetVpIndexFromApicId = 0x009A
    TranslateVirtualAddressEx = 0x00AC
    CheckSparseGpaPageVtlAccess = 0x00D4
    AcceptGpaPages = 0x00D9


class InputValue(ctypes.LittleEndianStructure):
    """Hypercall input value, RCX. TLFS reserves 31:27; bit 31 is IsNested in hvgdk_mini.h."""

    _fields_ = (
        ("code", ctypes.c_uint64, 16),
        ("fast", ctypes.c_uint64, 1),
        ("variable_header_size", ctypes.c_uint64, 10),
        ("reserved1", ctypes.c_uint64, 4),
        ("nested", ctypes.c_uint64, 1),
        ("rep_count", ctypes.c_uint64, 12),
        ("reserved2", ctypes.c_uint64, 4),
        ("rep_start", ctypes.c_uint64, 12),
        ("reserved3", ctypes.c_uint64, 4),
    )


class ResultValue(ctypes.LittleEndianStructure):
    """Hypercall result value, RAX."""

    _fields_ = (
        ("status", ctypes.c_uint64, 16),
        ("reserved1", ctypes.c_uint64, 16),
        ("reps_completed", ctypes.c_uint64, 12),
        ("reserved2", ctypes.c_uint64, 20),
    )


class InputVtl(ctypes.LittleEndianStructure):
    """HV_INPUT_VTL: the VTL that a call is about."""

    _fields_ = (
        ("target_vtl", ctypes.c_uint8, 4),
        ("use_target_vtl", ctypes.c_uint8, 1),
        ("reserved", ctypes.c_uint8, 3),
    )


class VtlReturnInput(ctypes.LittleEndianStructure):
    """Control input of a VTL return, RCX (TLFS, VTL Return)."""

    _fields_ = (("fast", ctypes.c_uint64, 1), ("reserved", ctypes.c_uint64, 63))


PARTITION_ID_SELF = 0xFFFF_FFFF_FFFF_FFFF
VP_INDEX_SELF = 0xFFFF_FFFE
MAX_VTLS = 16
"""Architectural (TLFS, Virtual Trust Level)."""
PAGE_SIZE = 4096
ALIGNMENT = 8
"""Of input and output lists, and the unit of variable headers."""
FAST_SIZE = 16
"""Bytes in RDX and R8."""
XMM_FAST_SIZE = 112
"""Bytes in RDX, R8 and XMM0 to XMM5."""
MAX_REPS = 4095

MSR_GUEST_OS_ID = 0x4000_0000
MSR_HYPERCALL = 0x4000_0001
MSR_VP_INDEX = 0x4000_0002
MSR_VP_ASSIST_PAGE = 0x4000_0073
MSR_SCONTROL = 0x4000_0080
MSR_SVERSION = 0x4000_0081
MSR_SIMP = 0x4000_0083
MSR_EOM = 0x4000_0084
MSR_SINT0 = 0x4000_0090
HYPERCALL_ENABLE = 1 << 0
HYPERCALL_LOCKED = 1 << 1
VP_ASSIST_ENABLE = 1 << 0
SCONTROL_ENABLE = 1 << 0
SIMP_ENABLE = 1 << 0
SYNIC_VERSION = 1

PRIVILEGE_ACCESS_SYNIC_REGS = 1 << 2
PRIVILEGE_ACCESS_HYPERCALL_MSRS = 1 << 5
PRIVILEGE_ACCESS_VP_INDEX = 1 << 6
PRIVILEGE_POST_MESSAGES = 1 << 36
PRIVILEGE_SIGNAL_EVENTS = 1 << 37
PRIVILEGE_ACCESS_VSM = 1 << 48
PRIVILEGE_ACCESS_VP_REGISTERS = 1 << 49
PRIVILEGE_START_VIRTUAL_PROCESSOR = 1 << 53

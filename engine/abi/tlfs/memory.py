"""Guest-physical pages and their translation (TLFS, HV_MAP_GPA_FLAGS, HV_TRANSLATE_GVA_CONTROL_FLAGS and _RESULT)."""

import ctypes
from enum import IntEnum, IntFlag


class MapFlags(IntFlag):
    """HV_MAP_GPA_*; ModifyVtlProtectionMask takes the first four only."""

    READ = 0x1
    WRITE = 0x2
    KERNEL_EXECUTE = 0x4
    USER_EXECUTE = 0x8
    SUPERVISOR_SHADOW_STACK = 0x10
    PAGING_WRITABILITY = 0x20
    VERIFY_PAGING_WRITABILITY = 0x40
    ADJUSTABLE = 0x8000
    NO_ACCESS = 0x10000
    ZEROED = 0x20000
    NO_OVERLAY_OK = 0x100000
    NOT_CACHED = 0x200000
    CLEAR_ACCESSED = 1 << 24
    SET_ACCESSED = 1 << 25
    CLEAR_DIRTY = 1 << 26
    SET_DIRTY = 1 << 27
    DONT_SET_RANGE_ACCESSED = 1 << 28
    LARGE_PAGE = 1 << 31


MAP_PERMISSIONS = 0xF
"""READ, WRITE, KERNEL_EXECUTE and USER_EXECUTE."""


class TranslateFlags(ctypes.LittleEndianStructure):
    """HV_TRANSLATE_GVA_CONTROL_FLAGS; the top byte is an HV_INPUT_VTL."""

    _fields_ = (
        ("validate_read", ctypes.c_uint64, 1),
        ("validate_write", ctypes.c_uint64, 1),
        ("validate_execute", ctypes.c_uint64, 1),
        ("privilege_exempt", ctypes.c_uint64, 1),
        ("set_page_table_bits", ctypes.c_uint64, 1),
        ("tlb_flush_inhibit", ctypes.c_uint64, 1),
        ("supervisor_access", ctypes.c_uint64, 1),
        ("user_access", ctypes.c_uint64, 1),
        ("reserved", ctypes.c_uint64, 48),
        ("input_vtl", ctypes.c_uint64, 8),
    )


class TranslateCode(IntEnum):
    """HvTranslateGva*."""

    SUCCESS = 0
    PAGE_NOT_PRESENT = 1
    PRIVILEGE_VIOLATION = 2
    INVALID_PAGE_TABLE_FLAGS = 3
    GPA_UNMAPPED = 4
    GPA_NO_READ_ACCESS = 5
    GPA_NO_WRITE_ACCESS = 6
    GPA_ILLEGAL_OVERLAY_ACCESS = 7
    INTERCEPT = 8
    GPA_UNACCEPTED = 9


class CacheType(IntEnum):
    """HvCacheType*."""

    UNCACHED = 0
    WRITE_COMBINING = 1
    WRITE_THROUGH = 4
    WRITE_PROTECTED = 5
    WRITE_BACK = 6


class TranslateResult(ctypes.LittleEndianStructure):
    """HV_TRANSLATE_GVA_RESULT."""

    _fields_ = (
        ("code", ctypes.c_uint32),
        ("cache_type", ctypes.c_uint32, 8),
        ("overlay_page", ctypes.c_uint32, 1),
        ("reserved", ctypes.c_uint32, 23),
    )


class VtlAccessCode(IntEnum):
    """HvCheckGpaPageVtlAccess*."""

    SUCCESS = 0
    MEMORY_INTERCEPT = 1


class VtlAccessResult(ctypes.LittleEndianStructure):
    """HV_CHECK_GPA_PAGE_VTL_ACCESS_RESULT (openvmm hvdef; the call is not in TLFS)."""

    _fields_ = (
        ("code", ctypes.c_uint64, 8),
        ("denied_access", ctypes.c_uint64, 8),
        ("intercepting_vtl", ctypes.c_uint64, 4),
        ("reserved", ctypes.c_uint64, 44),
    )

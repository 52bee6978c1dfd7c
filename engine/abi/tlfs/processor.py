"""Virtual processor state in memory (TLFS, HV_X64_SEGMENT_REGISTER, HV_INITIAL_VP_CONTEXT, HV_VP_ASSIST_PAGE)."""

import ctypes
from enum import IntEnum


class SegmentRegister(ctypes.LittleEndianStructure):
    """HV_X64_SEGMENT_REGISTER."""

    _fields_ = (
        ("base", ctypes.c_uint64),
        ("limit", ctypes.c_uint32),
        ("selector", ctypes.c_uint16),
        ("attributes", ctypes.c_uint16),
    )


class TableRegister(ctypes.LittleEndianStructure):
    """HV_X64_TABLE_REGISTER."""

    _fields_ = (
        ("padding", ctypes.c_uint16 * 3),
        ("limit", ctypes.c_uint16),
        ("base", ctypes.c_uint64),
    )


class InitialVpContext(ctypes.LittleEndianStructure):
    """HV_INITIAL_VP_CONTEXT of x64."""

    _fields_ = (
        ("rip", ctypes.c_uint64),
        ("rsp", ctypes.c_uint64),
        ("rflags", ctypes.c_uint64),
        ("cs", SegmentRegister),
        ("ds", SegmentRegister),
        ("es", SegmentRegister),
        ("fs", SegmentRegister),
        ("gs", SegmentRegister),
        ("ss", SegmentRegister),
        ("tr", SegmentRegister),
        ("ldtr", SegmentRegister),
        ("idtr", TableRegister),
        ("gdtr", TableRegister),
        ("efer", ctypes.c_uint64),
        ("cr0", ctypes.c_uint64),
        ("cr3", ctypes.c_uint64),
        ("cr4", ctypes.c_uint64),
        ("pat", ctypes.c_uint64),
    )


class PendingEventType(IntEnum):
    """HV_X64_PENDING_EVENT_*: what event_type says."""

    EXCEPTION = 0
    MEMORY_INTERCEPT = 1
    NESTED_MEMORY_INTERCEPT = 2
    VIRTUALIZATION_FAULT = 3


class PendingExceptionEvent(ctypes.LittleEndianStructure):
    """HV_X64_PENDING_EXCEPTION_EVENT, of HvRegisterPendingEvent0 (hvgdk.h and openvmm's hvdef; not in TLFS)."""

    _fields_ = (
        ("event_pending", ctypes.c_uint32, 1),
        ("event_type", ctypes.c_uint32, 3),
        ("reserved0", ctypes.c_uint32, 4),
        ("deliver_error_code", ctypes.c_uint32, 1),
        ("reserved1", ctypes.c_uint32, 7),
        ("vector", ctypes.c_uint32, 16),
        ("error_code", ctypes.c_uint32),
        ("exception_parameter", ctypes.c_uint64),
    )


class EntryReason(IntEnum):
    """HV_VTL_ENTRY_REASON; INTERCEPT is in hvdef, and in TLFS's text on secure intercepts."""

    RESERVED = 0
    VTL_CALL = 1
    INTERRUPT = 2
    INTERCEPT = 3


class VtlControl(ctypes.LittleEndianStructure):
    """HV_VP_VTL_CONTROL, of x64."""

    _fields_ = (
        ("entry_reason", ctypes.c_uint32),
        ("vina_asserted", ctypes.c_uint8, 1),
        ("vina_reserved", ctypes.c_uint8, 7),
        ("reserved", ctypes.c_uint8 * 3),
        ("return_rax", ctypes.c_uint64),
        ("return_rcx", ctypes.c_uint64),
    )


class VpAssistPage(ctypes.LittleEndianStructure):
    """HV_VP_ASSIST_PAGE, one a VP and VTL; what follows the fault information is not the same in all sources."""

    _fields_ = (
        ("apic_assist", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("vtl_control", VtlControl),
        ("nested_control", ctypes.c_uint64),
        ("enlighten_vm_entry", ctypes.c_uint8),
        ("reserved1", ctypes.c_uint8 * 7),
        ("current_nested_vmcs", ctypes.c_uint64),
        ("synthetic_time_unhalted_expired", ctypes.c_uint8),
        ("reserved2", ctypes.c_uint8 * 7),
        ("fault_information", ctypes.c_uint8 * 4032),
    )

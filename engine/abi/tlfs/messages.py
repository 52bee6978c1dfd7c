"""Synthetic interrupt messages (TLFS, HV_MESSAGE and HV_MESSAGE_TYPE; payload of a memory intercept as in hvgdk.h)."""

import ctypes
from enum import IntEnum

from engine.abi.tlfs.processor import SegmentRegister


class MessageType(IntEnum):
    """HvMessageType*."""

    NONE = 0
    UNMAPPED_GPA = 0x8000_0000
    GPA_INTERCEPT = 0x8000_0001
    UNACCEPTED_GPA = 0x8000_0003
    GPA_ATTRIBUTE_INTERCEPT = 0x8000_0004
    TIMER_EXPIRED = 0x8000_0010
    HYPERCALL_INTERCEPT = 0x8000_0050
    IO_PORT_INTERCEPT = 0x8001_0000
    MSR_INTERCEPT = 0x8001_0001
    CPUID_INTERCEPT = 0x8001_0002
    EXCEPTION_INTERCEPT = 0x8001_0003
    REGISTER_INTERCEPT = 0x8001_0006


class InterceptAccess(IntEnum):
    """HV_INTERCEPT_ACCESS_*: what the intercepted instruction tried."""

    READ = 0
    WRITE = 1
    EXECUTE = 2


MESSAGE_SIZE = 256
MESSAGE_PAYLOAD = 240
"""Most bytes of payload."""
INTERCEPT_SINT = 0
"""Intercepts are delivered on this synthetic interrupt source of the receiving VTL."""


class Message(ctypes.LittleEndianStructure):
    """HV_MESSAGE."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("payload_size", ctypes.c_uint8),
        ("pending", ctypes.c_uint8, 1),
        ("flags_reserved", ctypes.c_uint8, 7),
        ("reserved", ctypes.c_uint16),
        ("sender", ctypes.c_uint64),
        ("payload", ctypes.c_uint8 * MESSAGE_PAYLOAD),
    )


class ExecutionState(ctypes.LittleEndianStructure):
    """HV_X64_VP_EXECUTION_STATE."""

    _fields_ = (
        ("cpl", ctypes.c_uint16, 2),
        ("cr0_pe", ctypes.c_uint16, 1),
        ("cr0_am", ctypes.c_uint16, 1),
        ("efer_lma", ctypes.c_uint16, 1),
        ("debug_active", ctypes.c_uint16, 1),
        ("interruption_pending", ctypes.c_uint16, 1),
        ("vtl", ctypes.c_uint16, 4),
        ("enclave_mode", ctypes.c_uint16, 1),
        ("interrupt_shadow", ctypes.c_uint16, 1),
        ("virtualization_fault_active", ctypes.c_uint16, 1),
        ("reserved", ctypes.c_uint16, 2),
    )


class MemoryAccessInfo(ctypes.LittleEndianStructure):
    """HV_X64_MEMORY_ACCESS_INFO."""

    _fields_ = (
        ("gva_valid", ctypes.c_uint8, 1),
        ("gva_gpa_valid", ctypes.c_uint8, 1),
        ("hypercall_output_pending", ctypes.c_uint8, 1),
        ("tlb_locked", ctypes.c_uint8, 1),
        ("supervisor_shadow_stack", ctypes.c_uint8, 1),
        ("reserved", ctypes.c_uint8, 3),
    )


class MemoryIntercept(ctypes.LittleEndianStructure):
    """HV_X64_MEMORY_INTERCEPT_MESSAGE, 0x50 bytes: what openvmm sends."""

    _fields_ = (
        ("vp_index", ctypes.c_uint32),
        ("instruction_length", ctypes.c_uint8, 4),
        ("cr8", ctypes.c_uint8, 4),
        ("access", ctypes.c_uint8),
        ("execution_state", ctypes.c_uint16),
        ("cs", SegmentRegister),
        ("rip", ctypes.c_uint64),
        ("rflags", ctypes.c_uint64),
        ("cache_type", ctypes.c_uint32),
        ("instruction_byte_count", ctypes.c_uint8),
        ("memory_access_info", ctypes.c_uint8),
        ("tpr_priority", ctypes.c_uint8),
        ("reserved", ctypes.c_uint8),
        ("gva", ctypes.c_uint64),
        ("gpa", ctypes.c_uint64),
        ("instruction_bytes", ctypes.c_uint8 * 16),
    )


class InterceptRegisters(ctypes.LittleEndianStructure):
    """What TLFS puts behind it, up to 0xF0 bytes."""

    _fields_ = (
        ("ds", SegmentRegister),
        ("ss", SegmentRegister),
        ("rax", ctypes.c_uint64),
        ("rcx", ctypes.c_uint64),
        ("rdx", ctypes.c_uint64),
        ("rbx", ctypes.c_uint64),
        ("rsp", ctypes.c_uint64),
        ("rbp", ctypes.c_uint64),
        ("rsi", ctypes.c_uint64),
        ("rdi", ctypes.c_uint64),
        ("r8", ctypes.c_uint64),
        ("r9", ctypes.c_uint64),
        ("r10", ctypes.c_uint64),
        ("r11", ctypes.c_uint64),
        ("r12", ctypes.c_uint64),
        ("r13", ctypes.c_uint64),
        ("r14", ctypes.c_uint64),
        ("r15", ctypes.c_uint64),
    )


class LongMemoryIntercept(ctypes.LittleEndianStructure):
    """The whole of TLFS's message, 0xF0 bytes."""

    _fields_ = (("intercept", MemoryIntercept), ("registers", InterceptRegisters))

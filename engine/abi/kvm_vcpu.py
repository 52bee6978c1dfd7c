"""More of <linux/kvm.h>: a vCPU's events and CPUID table, its exits for MSRs, and what KVM_GET_STATS_FD gives."""

import ctypes


class VcpuEvents(ctypes.LittleEndianStructure):
    """struct kvm_vcpu_events (api.rst 4.31); the fields of its inner structs have their struct's name before them."""

    _fields_ = (
        ("exception_injected", ctypes.c_uint8),
        ("exception_nr", ctypes.c_uint8),
        ("exception_has_error_code", ctypes.c_uint8),
        ("exception_pending", ctypes.c_uint8),
        ("exception_error_code", ctypes.c_uint32),
        ("interrupt_injected", ctypes.c_uint8),
        ("interrupt_nr", ctypes.c_uint8),
        ("interrupt_soft", ctypes.c_uint8),
        ("interrupt_shadow", ctypes.c_uint8),
        ("nmi", ctypes.c_uint8 * 4),
        ("sipi_vector", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("smi", ctypes.c_uint8 * 4),
        ("triple_fault", ctypes.c_uint8),
        ("padding", ctypes.c_uint8 * 26),
        ("exception_has_payload", ctypes.c_uint8),
        ("exception_payload", ctypes.c_uint64),
    )


class Interrupt(ctypes.LittleEndianStructure):
    """struct kvm_interrupt (api.rst 4.9)."""

    _fields_ = (("irq", ctypes.c_uint32),)


class CpuidEntry(ctypes.LittleEndianStructure):
    """struct kvm_cpuid_entry2 (api.rst 4.46)."""

    _fields_ = (
        ("function", ctypes.c_uint32),
        ("index", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("eax", ctypes.c_uint32),
        ("ebx", ctypes.c_uint32),
        ("ecx", ctypes.c_uint32),
        ("edx", ctypes.c_uint32),
        ("padding", ctypes.c_uint32 * 3),
    )


CPUID_ENTRIES = 256
"""KVM_MAX_CPUID_ENTRIES of arch/x86: the most that KVM_SET_CPUID2 takes."""


class Cpuid(ctypes.LittleEndianStructure):
    """struct kvm_cpuid2 with room for all that a table can have."""

    _fields_ = (
        ("nent", ctypes.c_uint32),
        ("padding", ctypes.c_uint32),
        ("entries", CpuidEntry * CPUID_ENTRIES),
    )


CPUID_FLAG_SIGNIFCANT_INDEX = 1
"""Spelled as in the header."""

GUESTDBG_USE_HW_BP = 0x20000


class MsrEntry(ctypes.LittleEndianStructure):
    """struct kvm_msr_entry."""

    _fields_ = (
        ("index", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("data", ctypes.c_uint64),
    )


MSR_ENTRIES = 16


class Msrs(ctypes.LittleEndianStructure):
    """struct kvm_msrs (api.rst 4.18) with room for those asked for here."""

    _fields_ = (
        ("nmsrs", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
        ("entries", MsrEntry * MSR_ENTRIES),
    )


# struct kvm_run, byte offsets of KVM_EXIT_X86_RDMSR and KVM_EXIT_X86_WRMSR.
RUN_MSR_ERROR = 32
RUN_MSR_REASON = 40
RUN_MSR_INDEX = 44
RUN_MSR_DATA = 48
MSR_EXIT_REASON_INVAL = 1
MSR_EXIT_REASON_UNKNOWN = 2
MSR_EXIT_REASON_FILTER = 4


class StatsHeader(ctypes.LittleEndianStructure):
    """struct kvm_stats_header (api.rst 4.133)."""

    _fields_ = (
        ("flags", ctypes.c_uint32),
        ("name_size", ctypes.c_uint32),
        ("num_desc", ctypes.c_uint32),
        ("id_offset", ctypes.c_uint32),
        ("desc_offset", ctypes.c_uint32),
        ("data_offset", ctypes.c_uint32),
    )


class StatsDesc(ctypes.LittleEndianStructure):
    """struct kvm_stats_desc (api.rst 4.133); its name follows, name_size bytes."""

    _fields_ = (
        ("flags", ctypes.c_uint32),
        ("exponent", ctypes.c_int16),
        ("size", ctypes.c_uint16),
        ("offset", ctypes.c_uint32),
        ("bucket_size", ctypes.c_uint32),
    )


STATS_TYPE_MASK = 0xF
STATS_TYPE_PEAK = 2
STATS_TYPE_LINEAR_HIST = 3

"""KVM's userspace interface on x86-64: numbers and layouts as in <linux/kvm.h>, names minus their KVM_ prefix."""

import ctypes
from enum import IntEnum

API_VERSION = 12
DEVICE = "/dev/kvm"


class Ioctl(IntEnum):
    """ioctl request numbers; the member's name is the call's name in errors."""

    KVM_GET_API_VERSION = 0xAE00
    KVM_CREATE_VM = 0xAE01
    KVM_CHECK_EXTENSION = 0xAE03
    KVM_GET_VCPU_MMAP_SIZE = 0xAE04
    KVM_GET_SUPPORTED_CPUID = 0xC008AE05
    KVM_CREATE_VCPU = 0xAE41
    KVM_GET_DIRTY_LOG = 0x4010AE42
    KVM_SET_USER_MEMORY_REGION = 0x4020AE46
    KVM_RUN = 0xAE80
    KVM_SET_REGS = 0x4090AE82
    KVM_GET_SREGS = 0x8138AE83
    KVM_SET_SREGS = 0x4138AE84
    KVM_INTERRUPT = 0x4004AE86
    KVM_GET_MSRS = 0xC008AE88
    KVM_SET_MSRS = 0x4008AE89
    KVM_SET_CPUID2 = 0x4008AE90
    KVM_SET_MP_STATE = 0x4004AE99
    KVM_SET_GUEST_DEBUG = 0x4048AE9B
    KVM_GET_VCPU_EVENTS = 0x8040AE9F
    KVM_SET_VCPU_EVENTS = 0x4040AEA0
    KVM_GET_DEBUGREGS = 0x8080AEA1
    KVM_SET_DEBUGREGS = 0x4080AEA2
    KVM_GET_XSAVE = 0x9000AEA4
    KVM_SET_XSAVE = 0x5000AEA5
    KVM_ENABLE_CAP = 0x4068AEA3
    KVM_CLEAR_DIRTY_LOG = 0xC018AEC0
    KVM_GET_SUPPORTED_HV_CPUID = 0xC008AEC1
    KVM_X86_SET_MSR_FILTER = 0x4188AEC6
    KVM_RESET_DIRTY_RINGS = 0xAEC7
    KVM_GET_STATS_FD = 0xAECE


class Cap(IntEnum):
    """KVM_CAP_* for KVM_CHECK_EXTENSION."""

    USER_MEMORY = 3
    NR_MEMSLOTS = 10
    SYNC_MMU = 16
    SET_GUEST_DEBUG = 23
    XEN_HVM = 38
    HYPERV = 44
    MAX_VCPUS = 66
    SYNC_REGS = 74
    READONLY_MEM = 81
    MULTI_ADDRESS_SPACE = 118
    SPLIT_IRQCHIP = 121
    MAX_VCPU_ID = 128
    IMMEDIATE_EXIT = 136
    HYPERV_SYNIC2 = 148
    MANUAL_DIRTY_LOG_PROTECT2 = 168
    X86_USER_SPACE_MSR = 188
    X86_MSR_FILTER = 189
    BINARY_STATS_FD = 203
    DIRTY_LOG_RING_ACQ_REL = 223
    MEMORY_FAULT_INFO = 232


class ExitReason(IntEnum):
    """KVM_EXIT_* in kvm_run.exit_reason."""

    UNKNOWN = 0
    EXCEPTION = 1
    IO = 2
    HYPERCALL = 3
    DEBUG = 4
    HLT = 5
    MMIO = 6
    IRQ_WINDOW_OPEN = 7
    SHUTDOWN = 8
    FAIL_ENTRY = 9
    INTR = 10
    SET_TPR = 11
    INTERNAL_ERROR = 17
    SYSTEM_EVENT = 24
    HYPERV = 27
    X86_RDMSR = 29
    X86_WRMSR = 30
    DIRTY_RING_FULL = 31
    X86_BUS_LOCK = 33
    XEN = 34
    NOTIFY = 37
    MEMORY_FAULT = 39


DIRTY_LOG_PAGE_OFFSET = 64
"""Where a vCPU's dirty ring is mapped, in pages (api.rst 8.29)."""
DIRTY_GFN_SIZE = 16
"""struct kvm_dirty_gfn: u32 flags, u32 slot (address space above bit 16), u64 offset."""
DIRTY_GFN_DIRTY = 1
DIRTY_GFN_RESET = 2
MEM_LOG_DIRTY_PAGES = 1
MEM_READONLY = 2
INTERNAL_ERROR_EMULATION = 1
GUESTDBG_ENABLE = 1
GUESTDBG_SINGLESTEP = 2
SYNC_X86_REGS = 1
SYNC_X86_SREGS = 2
EXIT_IO_IN = 0
EXIT_IO_OUT = 1

# struct kvm_run, byte offsets; the union of exits begins at 32.
RUN_REQUEST_INTERRUPT_WINDOW = 0
RUN_IMMEDIATE_EXIT = 1
RUN_EXIT_REASON = 8
RUN_CR8 = 16
RUN_IO_DIRECTION = 32
RUN_IO_SIZE = 33
RUN_IO_PORT = 34
RUN_IO_COUNT = 36
RUN_IO_DATA_OFFSET = 40
RUN_MMIO_PHYS_ADDR = 32
RUN_MMIO_DATA = 40
RUN_MMIO_LEN = 48
RUN_MMIO_IS_WRITE = 52
RUN_INTERNAL_SUBERROR = 32
RUN_INTERNAL_NDATA = 36
RUN_INTERNAL_DATA = 40
RUN_FAIL_ENTRY_REASON = 32
RUN_FAIL_ENTRY_CPU = 40
RUN_MEMORY_FAULT_FLAGS = 32
RUN_MEMORY_FAULT_GPA = 40
RUN_MEMORY_FAULT_SIZE = 48
RUN_VALID_REGS = 288
RUN_DIRTY_REGS = 296
RUN_SYNC_REGS = 304
INTERNAL_DATA_WORDS = 16


class UserspaceMemoryRegion(ctypes.LittleEndianStructure):
    """struct kvm_userspace_memory_region (api.rst 4.35)."""

    _fields_ = (
        ("slot", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("guest_phys_addr", ctypes.c_uint64),
        ("memory_size", ctypes.c_uint64),
        ("userspace_addr", ctypes.c_uint64),
    )


class DirtyLog(ctypes.LittleEndianStructure):
    """struct kvm_dirty_log (api.rst 4.8)."""

    _fields_ = (
        ("slot", ctypes.c_uint32),
        ("padding1", ctypes.c_uint32),
        ("dirty_bitmap", ctypes.c_uint64),
    )


class ClearDirtyLog(ctypes.LittleEndianStructure):
    """struct kvm_clear_dirty_log (api.rst 4.117)."""

    _fields_ = (
        ("slot", ctypes.c_uint32),
        ("num_pages", ctypes.c_uint32),
        ("first_page", ctypes.c_uint64),
        ("dirty_bitmap", ctypes.c_uint64),
    )


class EnableCap(ctypes.LittleEndianStructure):
    """struct kvm_enable_cap (api.rst 4.37)."""

    _fields_ = (
        ("cap", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("args", ctypes.c_uint64 * 4),
        ("pad", ctypes.c_uint8 * 64),
    )


class Segment(ctypes.LittleEndianStructure):
    """struct kvm_segment."""

    _fields_ = (
        ("base", ctypes.c_uint64),
        ("limit", ctypes.c_uint32),
        ("selector", ctypes.c_uint16),
        ("type", ctypes.c_uint8),
        ("present", ctypes.c_uint8),
        ("dpl", ctypes.c_uint8),
        ("db", ctypes.c_uint8),
        ("s", ctypes.c_uint8),
        ("l", ctypes.c_uint8),
        ("g", ctypes.c_uint8),
        ("avl", ctypes.c_uint8),
        ("unusable", ctypes.c_uint8),
        ("padding", ctypes.c_uint8),
    )


class Dtable(ctypes.LittleEndianStructure):
    """struct kvm_dtable."""

    _fields_ = (
        ("base", ctypes.c_uint64),
        ("limit", ctypes.c_uint16),
        ("padding", ctypes.c_uint16 * 3),
    )


class Sregs(ctypes.LittleEndianStructure):
    """struct kvm_sregs."""

    _fields_ = (
        ("cs", Segment),
        ("ds", Segment),
        ("es", Segment),
        ("fs", Segment),
        ("gs", Segment),
        ("ss", Segment),
        ("tr", Segment),
        ("ldt", Segment),
        ("gdt", Dtable),
        ("idt", Dtable),
        ("cr0", ctypes.c_uint64),
        ("cr2", ctypes.c_uint64),
        ("cr3", ctypes.c_uint64),
        ("cr4", ctypes.c_uint64),
        ("cr8", ctypes.c_uint64),
        ("efer", ctypes.c_uint64),
        ("apic_base", ctypes.c_uint64),
        ("interrupt_bitmap", ctypes.c_uint64 * 4),
    )


class GuestDebug(ctypes.LittleEndianStructure):
    """struct kvm_guest_debug."""

    _fields_ = (
        ("control", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
        ("debugreg", ctypes.c_uint64 * 8),
    )


REGS_SIZE = 144
"""struct kvm_regs: rax rbx rcx rdx rsi rdi rsp rbp r8 to r15 rip rflags, u64 each."""
XSAVE_SIZE = 4096
"""struct kvm_xsave (api.rst 4.42): the standard format of XSAVE (SDM Vol. 1, 13.4)."""
XSAVE_XMM, XSAVE_BV = 160, 512
"""Where XMM0 to XMM15 begin, and the bitmap of what is not in its initial state."""
XSAVE_SSE = 1 << 1
DEBUGREGS_SIZE, DEBUGREGS_ADDRESSES = 128, 32
"""struct kvm_debugregs, and its first part: DR0 to DR3."""

"""More of <linux/kvm.h>: the filter that takes MSRs from the kernel (api.rst 4.127)."""

import ctypes

MSR_FILTER_READ = 1
MSR_FILTER_WRITE = 2
MSR_FILTER_RANGES = 16


class MsrFilterRange(ctypes.LittleEndianStructure):
    """struct kvm_msr_filter_range: `nmsrs` registers from `base` on; a bit of the bitmap that is 0 denies."""

    _fields_ = (
        ("flags", ctypes.c_uint32),
        ("nmsrs", ctypes.c_uint32),
        ("base", ctypes.c_uint32),
        ("bitmap", ctypes.c_uint64),
    )


class MsrFilter(ctypes.LittleEndianStructure):
    """struct kvm_msr_filter: what no range has is allowed, with flags 0."""

    _fields_ = (
        ("flags", ctypes.c_uint32),
        ("ranges", MsrFilterRange * MSR_FILTER_RANGES),
    )

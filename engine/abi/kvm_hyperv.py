"""More of <linux/kvm.h>: exits of KVM's own Hyper-V (api.rst 5, KVM_EXIT_HYPERV)."""

import ctypes

EXIT_SYNIC = 1
EXIT_HCALL = 2

# struct kvm_run, byte offsets.
RUN_HYPERV_TYPE = 32
RUN_SYNIC_MSR = 40
RUN_SYNIC_CONTROL = 48
RUN_SYNIC_EVENT_PAGE = 56
RUN_SYNIC_MESSAGE_PAGE = 64
RUN_HCALL_INPUT = 40
RUN_HCALL_RESULT = 48
RUN_HCALL_PARAMS = 56


class MpState(ctypes.LittleEndianStructure):
    """struct kvm_mp_state (api.rst 4.38)."""

    _fields_ = (("mp_state", ctypes.c_uint32),)


MP_STATE_RUNNABLE = 0

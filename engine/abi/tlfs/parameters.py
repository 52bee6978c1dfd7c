"""Headers and elements of the hypercalls of VSM (TLFS). `rsvdz` must be zero, `padding` is ignored."""

import ctypes

from engine.abi.tlfs.messages import MESSAGE_PAYLOAD
from engine.abi.tlfs.processor import InitialVpContext


class SendSyntheticClusterIpi(ctypes.LittleEndianStructure):
    """HvCallSendSyntheticClusterIpi; `target_vtl` is an HV_INPUT_VTL, a bit of `processors` a VP index."""

    _fields_ = (
        ("vector", ctypes.c_uint32),
        ("target_vtl", ctypes.c_uint8),
        ("padding", ctypes.c_uint8 * 3),
        ("processors", ctypes.c_uint64),
    )


class ModifyVtlProtectionMask(ctypes.LittleEndianStructure):
    """HvCallModifyVtlProtectionMask; `target_vtl` is an HV_INPUT_VTL."""

    _fields_ = (
        ("partition_id", ctypes.c_uint64),
        ("map_flags", ctypes.c_uint32),
        ("target_vtl", ctypes.c_uint8),
        ("rsvdz", ctypes.c_uint8 * 3),
    )


class GpaPage(ctypes.LittleEndianStructure):
    """An element: the number of a guest page."""

    _fields_ = (("gfn", ctypes.c_uint64),)


class EnablePartitionVtl(ctypes.LittleEndianStructure):
    """HvCallEnablePartitionVtl; `target_vtl` is a plain HV_VTL."""

    _fields_ = (
        ("partition_id", ctypes.c_uint64),
        ("target_vtl", ctypes.c_uint8),
        ("enable_mbec", ctypes.c_uint8, 1),
        ("reserved", ctypes.c_uint8, 7),
        ("rsvdz", ctypes.c_uint8 * 6),
    )


class EnableVpVtl(ctypes.LittleEndianStructure):
    """HvCallEnableVpVtl; `target_vtl` is a plain HV_VTL."""

    _fields_ = (
        ("partition_id", ctypes.c_uint64),
        ("vp_index", ctypes.c_uint32),
        ("target_vtl", ctypes.c_uint8),
        ("rsvdz", ctypes.c_uint8 * 3),
        ("context", InitialVpContext),
    )


class StartVirtualProcessor(ctypes.LittleEndianStructure):
    """HvCallStartVirtualProcessor; TLFS does not name bytes 13 to 15."""

    _fields_ = (
        ("partition_id", ctypes.c_uint64),
        ("vp_index", ctypes.c_uint32),
        ("target_vtl", ctypes.c_uint8),
        ("padding", ctypes.c_uint8 * 3),
        ("context", InitialVpContext),
    )


class VpRegistersHeader(ctypes.LittleEndianStructure):
    """HvCallGetVpRegisters and HvCallSetVpRegisters; `input_vtl` is an HV_INPUT_VTL."""

    _fields_ = (
        ("partition_id", ctypes.c_uint64),
        ("vp_index", ctypes.c_uint32),
        ("input_vtl", ctypes.c_uint8),
        ("rsvdz", ctypes.c_uint8 * 3),
    )


class RegisterNameElement(ctypes.LittleEndianStructure):
    """Input element of HvCallGetVpRegisters."""

    _fields_ = (("name", ctypes.c_uint32),)


class RegisterValue(ctypes.LittleEndianStructure):
    """Output element of HvCallGetVpRegisters: HV_REGISTER_VALUE."""

    _fields_ = (("low", ctypes.c_uint64), ("high", ctypes.c_uint64))


class RegisterAssociation(ctypes.LittleEndianStructure):
    """Element of HvCallSetVpRegisters."""

    _fields_ = (
        ("name", ctypes.c_uint32),
        ("rsvdz", ctypes.c_uint8 * 12),
        ("low", ctypes.c_uint64),
        ("high", ctypes.c_uint64),
    )


class TranslateVirtualAddress(ctypes.LittleEndianStructure):
    """HvCallTranslateVirtualAddress; `flags` are TranslateFlags."""

    _fields_ = (
        ("partition_id", ctypes.c_uint64),
        ("vp_index", ctypes.c_uint32),
        ("padding", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("gva_page", ctypes.c_uint64),
    )


class Translated(ctypes.LittleEndianStructure):
    """Output of HvCallTranslateVirtualAddress; `result` is a TranslateResult."""

    _fields_ = (("result", ctypes.c_uint64), ("gpa_page", ctypes.c_uint64))


class VpIndexFromApicId(ctypes.LittleEndianStructure):
    """HvCallGetVpIndexFromApicId; `target_vtl` is a plain HV_VTL."""

    _fields_ = (
        ("partition_id", ctypes.c_uint64),
        ("target_vtl", ctypes.c_uint8),
        ("padding", ctypes.c_uint8 * 7),
    )


class PaddedIndex(ctypes.LittleEndianStructure):
    """An APIC id or VP index as an element of HvCallGetVpIndexFromApicId in TLFS."""

    _fields_ = (("index", ctypes.c_uint32), ("padding", ctypes.c_uint32))


class Index(ctypes.LittleEndianStructure):
    """The same element in hvgdk_mini.h and openvmm: without padding."""

    _fields_ = (("index", ctypes.c_uint32),)


class CheckSparseGpaPageVtlAccess(ctypes.LittleEndianStructure):
    """HvCallCheckSparseGpaPageVtlAccess (openvmm hvdef; not in TLFS); `target_vtl` is an HV_INPUT_VTL."""

    _fields_ = (
        ("partition_id", ctypes.c_uint64),
        ("target_vtl", ctypes.c_uint8),
        ("desired_access", ctypes.c_uint8),
        ("rsvdz", ctypes.c_uint8 * 6),
    )


class PostMessage(ctypes.LittleEndianStructure):
    """HvCallPostMessage; only the first `payload_size` bytes of `payload` are sent."""

    _fields_ = (
        ("connection_id", ctypes.c_uint32),
        ("rsvdz", ctypes.c_uint8 * 4),
        ("message_type", ctypes.c_uint32),
        ("payload_size", ctypes.c_uint32),
        ("payload", ctypes.c_uint8 * MESSAGE_PAYLOAD),
    )


class SignalEvent(ctypes.LittleEndianStructure):
    """HvCallSignalEvent."""

    _fields_ = (("connection_id", ctypes.c_uint32), ("flag_number", ctypes.c_uint16), ("rsvdz", ctypes.c_uint8 * 2))


class VtlAccess(ctypes.LittleEndianStructure):
    """Output element of HvCallCheckSparseGpaPageVtlAccess; `result` is a VtlAccessResult."""

    _fields_ = (("result", ctypes.c_uint64),)

"""Layouts against the tables of the TLFS: (struct, size), and (struct, field, offset, size)."""

import ctypes

import pytest

from engine.abi.tlfs import messages, parameters, processor
from engine.abi.tlfs.status import HvStatus

Struct = type[ctypes.LittleEndianStructure]

SIZES: dict[Struct, int] = {
    parameters.ModifyVtlProtectionMask: 16,
    parameters.GpaPage: 8,
    parameters.EnablePartitionVtl: 16,
    parameters.EnableVpVtl: 240,
    parameters.StartVirtualProcessor: 240,
    parameters.VpRegistersHeader: 16,
    parameters.RegisterNameElement: 4,
    parameters.RegisterValue: 16,
    parameters.RegisterAssociation: 32,
    parameters.TranslateVirtualAddress: 32,
    parameters.Translated: 16,
    parameters.VpIndexFromApicId: 16,
    parameters.PaddedIndex: 8,
    parameters.Index: 4,
    parameters.CheckSparseGpaPageVtlAccess: 16,
    parameters.VtlAccess: 8,
    parameters.PostMessage: 256,
    parameters.SignalEvent: 8,
    processor.SegmentRegister: 16,
    processor.TableRegister: 16,
    processor.InitialVpContext: 224,
    processor.VtlControl: 24,
    processor.VpAssistPage: 4096,
    messages.Message: 256,
    messages.MemoryIntercept: 0x50,
    messages.InterceptRegisters: 0xA0,
    messages.LongMemoryIntercept: 0xF0,
}

OFFSETS: list[tuple[Struct, str, int, int]] = [
    (parameters.PostMessage, "connection_id", 0, 4),
    (parameters.PostMessage, "rsvdz", 4, 4),
    (parameters.PostMessage, "message_type", 8, 4),
    (parameters.PostMessage, "payload_size", 12, 4),
    (parameters.PostMessage, "payload", 16, 240),
    (parameters.SignalEvent, "connection_id", 0, 4),
    (parameters.SignalEvent, "flag_number", 4, 2),
    (parameters.SignalEvent, "rsvdz", 6, 2),
    (parameters.ModifyVtlProtectionMask, "partition_id", 0, 8),
    (parameters.ModifyVtlProtectionMask, "map_flags", 8, 4),
    (parameters.ModifyVtlProtectionMask, "target_vtl", 12, 1),
    (parameters.ModifyVtlProtectionMask, "rsvdz", 13, 3),
    (parameters.EnablePartitionVtl, "partition_id", 0, 8),
    (parameters.EnablePartitionVtl, "target_vtl", 8, 1),
    (parameters.EnablePartitionVtl, "rsvdz", 10, 6),
    (parameters.EnableVpVtl, "partition_id", 0, 8),
    (parameters.EnableVpVtl, "vp_index", 8, 4),
    (parameters.EnableVpVtl, "target_vtl", 12, 1),
    (parameters.EnableVpVtl, "rsvdz", 13, 3),
    (parameters.EnableVpVtl, "context", 16, 224),
    (parameters.StartVirtualProcessor, "vp_index", 8, 4),
    (parameters.StartVirtualProcessor, "target_vtl", 12, 1),
    (parameters.StartVirtualProcessor, "context", 16, 224),
    (parameters.VpRegistersHeader, "vp_index", 8, 4),
    (parameters.VpRegistersHeader, "input_vtl", 12, 1),
    (parameters.VpRegistersHeader, "rsvdz", 13, 3),
    (parameters.RegisterAssociation, "name", 0, 4),
    (parameters.RegisterAssociation, "rsvdz", 4, 12),
    (parameters.RegisterAssociation, "low", 16, 8),
    (parameters.RegisterAssociation, "high", 24, 8),
    (parameters.TranslateVirtualAddress, "vp_index", 8, 4),
    (parameters.TranslateVirtualAddress, "flags", 16, 8),
    (parameters.TranslateVirtualAddress, "gva_page", 24, 8),
    (parameters.Translated, "result", 0, 8),
    (parameters.Translated, "gpa_page", 8, 8),
    (parameters.VpIndexFromApicId, "target_vtl", 8, 1),
    (parameters.VpIndexFromApicId, "padding", 9, 7),
    (parameters.CheckSparseGpaPageVtlAccess, "target_vtl", 8, 1),
    (parameters.CheckSparseGpaPageVtlAccess, "desired_access", 9, 1),
    (parameters.CheckSparseGpaPageVtlAccess, "rsvdz", 10, 6),
    (processor.SegmentRegister, "limit", 8, 4),
    (processor.SegmentRegister, "selector", 12, 2),
    (processor.SegmentRegister, "attributes", 14, 2),
    (processor.TableRegister, "limit", 6, 2),
    (processor.TableRegister, "base", 8, 8),
    (processor.InitialVpContext, "rip", 0, 8),
    (processor.InitialVpContext, "rflags", 16, 8),
    (processor.InitialVpContext, "cs", 24, 16),
    (processor.InitialVpContext, "ldtr", 136, 16),
    (processor.InitialVpContext, "idtr", 152, 16),
    (processor.InitialVpContext, "gdtr", 168, 16),
    (processor.InitialVpContext, "efer", 184, 8),
    (processor.InitialVpContext, "cr0", 192, 8),
    (processor.InitialVpContext, "pat", 216, 8),
    (processor.VtlControl, "entry_reason", 0, 4),
    (processor.VtlControl, "return_rax", 8, 8),
    (processor.VtlControl, "return_rcx", 16, 8),
    (processor.VpAssistPage, "apic_assist", 0, 4),
    (processor.VpAssistPage, "vtl_control", 8, 24),
    (processor.VpAssistPage, "nested_control", 32, 8),
    (processor.VpAssistPage, "enlighten_vm_entry", 40, 1),
    (processor.VpAssistPage, "current_nested_vmcs", 48, 8),
    (processor.VpAssistPage, "synthetic_time_unhalted_expired", 56, 1),
    (processor.VpAssistPage, "fault_information", 64, 4032),
    (messages.Message, "type", 0, 4),
    (messages.Message, "payload_size", 4, 1),
    (messages.Message, "reserved", 6, 2),
    (messages.Message, "sender", 8, 8),
    (messages.Message, "payload", 16, 240),
    (messages.MemoryIntercept, "vp_index", 0x00, 4),
    (messages.MemoryIntercept, "access", 0x05, 1),
    (messages.MemoryIntercept, "execution_state", 0x06, 2),
    (messages.MemoryIntercept, "cs", 0x08, 16),
    (messages.MemoryIntercept, "rip", 0x18, 8),
    (messages.MemoryIntercept, "rflags", 0x20, 8),
    (messages.MemoryIntercept, "cache_type", 0x28, 4),
    (messages.MemoryIntercept, "instruction_byte_count", 0x2C, 1),
    (messages.MemoryIntercept, "memory_access_info", 0x2D, 1),
    (messages.MemoryIntercept, "tpr_priority", 0x2E, 1),
    (messages.MemoryIntercept, "gva", 0x30, 8),
    (messages.MemoryIntercept, "gpa", 0x38, 8),
    (messages.MemoryIntercept, "instruction_bytes", 0x40, 16),
    (messages.LongMemoryIntercept, "registers", 0x50, 0xA0),
    (messages.InterceptRegisters, "ds", 0x00, 16),
    (messages.InterceptRegisters, "ss", 0x10, 16),
    (messages.InterceptRegisters, "rax", 0x20, 8),
    (messages.InterceptRegisters, "rcx", 0x28, 8),
    (messages.InterceptRegisters, "rdx", 0x30, 8),
    (messages.InterceptRegisters, "rbx", 0x38, 8),
    (messages.InterceptRegisters, "rsp", 0x40, 8),
    (messages.InterceptRegisters, "rbp", 0x48, 8),
    (messages.InterceptRegisters, "rsi", 0x50, 8),
    (messages.InterceptRegisters, "rdi", 0x58, 8),
    (messages.InterceptRegisters, "r8", 0x60, 8),
    (messages.InterceptRegisters, "r15", 0x98, 8),
]


@pytest.mark.parametrize(("struct", "size"), SIZES.items(), ids=lambda value: getattr(value, "__name__", str(value)))
def test_size(struct: Struct, size: int) -> None:
    assert ctypes.sizeof(struct) == size


@pytest.mark.parametrize(("struct", "field", "offset", "size"), OFFSETS, ids=lambda v: getattr(v, "__name__", str(v)))
def test_field(struct: Struct, field: str, offset: int, size: int) -> None:
    place = getattr(struct, field)
    assert (place.offset, place.size) == (offset, size)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (0x02, "INVALID_HYPERCALL_CODE"),
        (0x03, "INVALID_HYPERCALL_INPUT"),
        (0x04, "INVALID_ALIGNMENT"),
        (0x05, "INVALID_PARAMETER"),
        (0x06, "ACCESS_DENIED"),
        (0x0D, "INVALID_PARTITION_ID"),
        (0x0E, "INVALID_VP_INDEX"),
        (0x15, "INVALID_VP_STATE"),
        (0x50, "INVALID_REGISTER_VALUE"),
        (0x51, "INVALID_VTL_STATE"),
        (0x78, "TIMEOUT"),
        (0x86, "VTL_ALREADY_ENABLED"),
    ],
)
def test_status(code: int, name: str) -> None:
    assert HvStatus(code).name == name

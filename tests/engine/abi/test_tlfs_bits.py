"""Bit fields against the tables of the TLFS: the lowest bit and the number of bits of each."""

import ctypes

import pytest

from engine.abi.tlfs import interface, memory, messages, parameters, processor, registers, synic

Struct = type[ctypes.LittleEndianStructure]

BITS: list[tuple[Struct, str, int, int]] = [
    (interface.InputValue, "code", 0, 16),
    (interface.InputValue, "fast", 16, 1),
    (interface.InputValue, "variable_header_size", 17, 10),
    (interface.InputValue, "reserved1", 27, 4),
    (interface.InputValue, "nested", 31, 1),
    (interface.InputValue, "rep_count", 32, 12),
    (interface.InputValue, "reserved2", 44, 4),
    (interface.InputValue, "rep_start", 48, 12),
    (interface.InputValue, "reserved3", 60, 4),
    (interface.ResultValue, "status", 0, 16),
    (interface.ResultValue, "reserved1", 16, 16),
    (interface.ResultValue, "reps_completed", 32, 12),
    (interface.ResultValue, "reserved2", 44, 20),
    (interface.InputVtl, "target_vtl", 0, 4),
    (interface.InputVtl, "use_target_vtl", 4, 1),
    (interface.InputVtl, "reserved", 5, 3),
    (interface.VtlReturnInput, "fast", 0, 1),
    (registers.VsmCodePageOffsets, "vtl_call", 0, 12),
    (registers.VsmCodePageOffsets, "vtl_return", 12, 12),
    (registers.VsmVpStatus, "active_vtl", 0, 4),
    (registers.VsmVpStatus, "active_mbec", 4, 1),
    (registers.VsmVpStatus, "enabled_vtls", 16, 16),
    (registers.VsmPartitionStatus, "enabled_vtls", 0, 16),
    (registers.VsmPartitionStatus, "maximum_vtl", 16, 4),
    (registers.VsmPartitionStatus, "mbec_vtls", 20, 16),
    (registers.VsmVina, "vector", 0, 8),
    (registers.VsmVina, "enabled", 8, 1),
    (registers.VsmVina, "auto_reset", 9, 1),
    (registers.VsmVina, "auto_eoi", 10, 1),
    (synic.Sint, "vector", 0, 8),
    (synic.Sint, "masked", 16, 1),
    (synic.Sint, "auto_eoi", 17, 1),
    (synic.Sint, "polling", 18, 1),
    (processor.PendingExceptionEvent, "event_pending", 0, 1),
    (processor.PendingExceptionEvent, "event_type", 1, 3),
    (processor.PendingExceptionEvent, "deliver_error_code", 8, 1),
    (processor.PendingExceptionEvent, "vector", 16, 16),
    (registers.VsmCapabilitiesHighFirst, "dr6_shared", 63, 1),
    (registers.VsmCapabilitiesHighFirst, "mbec_vtls", 47, 16),
    (registers.VsmCapabilitiesHighFirst, "deny_lower_vtl_startup", 46, 1),
    (registers.VsmCapabilitiesLowFirst, "dr6_shared", 0, 1),
    (registers.VsmCapabilitiesLowFirst, "mbec_vtls", 1, 16),
    (registers.VsmCapabilitiesLowFirst, "deny_lower_vtl_startup", 17, 1),
    (registers.VsmPartitionConfig, "enable_vtl_protection", 0, 1),
    (registers.VsmPartitionConfig, "default_vtl_protection_mask", 1, 4),
    (registers.VsmPartitionConfig, "zero_memory_on_reset", 5, 1),
    (registers.VsmPartitionConfig, "deny_lower_vtl_startup", 6, 1),
    (registers.VsmPartitionConfig, "intercept_vp_startup", 9, 1),
    (registers.VsmPartitionConfig, "intercept_system_reset", 15, 1),
    (registers.VsmVpSecureConfig, "mbec_enabled", 0, 1),
    (registers.VsmVpSecureConfig, "tlb_locked", 1, 1),
    (memory.TranslateFlags, "validate_read", 0, 1),
    (memory.TranslateFlags, "privilege_exempt", 3, 1),
    (memory.TranslateFlags, "set_page_table_bits", 4, 1),
    (memory.TranslateFlags, "tlb_flush_inhibit", 5, 1),
    (memory.TranslateFlags, "supervisor_access", 6, 1),
    (memory.TranslateFlags, "user_access", 7, 1),
    (memory.TranslateFlags, "input_vtl", 56, 8),
    (memory.TranslateResult, "code", 0, 32),
    (memory.TranslateResult, "cache_type", 32, 8),
    (memory.TranslateResult, "overlay_page", 40, 1),
    (memory.VtlAccessResult, "code", 0, 8),
    (memory.VtlAccessResult, "denied_access", 8, 8),
    (memory.VtlAccessResult, "intercepting_vtl", 16, 4),
    (messages.Message, "pending", 40, 1),
    (messages.ExecutionState, "cpl", 0, 2),
    (messages.ExecutionState, "cr0_pe", 2, 1),
    (messages.ExecutionState, "cr0_am", 3, 1),
    (messages.ExecutionState, "efer_lma", 4, 1),
    (messages.ExecutionState, "debug_active", 5, 1),
    (messages.ExecutionState, "interruption_pending", 6, 1),
    (messages.ExecutionState, "vtl", 7, 4),
    (messages.ExecutionState, "enclave_mode", 11, 1),
    (messages.ExecutionState, "interrupt_shadow", 12, 1),
    (messages.ExecutionState, "virtualization_fault_active", 13, 1),
    (messages.MemoryAccessInfo, "gva_valid", 0, 1),
    (messages.MemoryAccessInfo, "gva_gpa_valid", 1, 1),
    (messages.MemoryAccessInfo, "hypercall_output_pending", 2, 1),
    (messages.MemoryAccessInfo, "tlb_locked", 3, 1),
    (messages.MemoryAccessInfo, "supervisor_shadow_stack", 4, 1),
    (messages.MemoryIntercept, "instruction_length", 32, 4),
    (messages.MemoryIntercept, "cr8", 36, 4),
    (parameters.EnablePartitionVtl, "enable_mbec", 72, 1),
    (processor.VtlControl, "vina_asserted", 32, 1),
]


@pytest.mark.parametrize(("struct", "field", "low", "width"), BITS, ids=lambda v: getattr(v, "__name__", str(v)))
def test_bits(struct: Struct, field: str, low: int, width: int) -> None:
    """All ones in the field are all ones in those bits, and in no others."""
    value = struct()
    setattr(value, field, (1 << width) - 1)
    assert int.from_bytes(bytes(value), "little") == ((1 << width) - 1) << low


@pytest.mark.parametrize(
    ("flag", "bit"),
    [("READ", 0), ("WRITE", 1), ("KERNEL_EXECUTE", 2), ("USER_EXECUTE", 3), ("ADJUSTABLE", 15), ("LARGE_PAGE", 31)],
)
def test_map_flag(flag: str, bit: int) -> None:
    assert memory.MapFlags[flag] == 1 << bit

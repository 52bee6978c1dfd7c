"""The memory intercept: what a VTL is told when a lower one runs into its protections (TLFS, HV_MESSAGE)."""

import ctypes
from typing import Any

import msgspec

from engine.abi.tlfs import messages
from engine.abi.tlfs.messages import MemoryIntercept, MessageType
from engine.model.system_registers import Segment
from engine.vsm.context import decode_segment, encode_segment

_GENERAL = tuple(name for name, *_ in messages.InterceptRegisters._fields_ if name not in ("ds", "ss"))
SHORT = ctypes.sizeof(MemoryIntercept)
"""openvmm's payload."""
LONG = ctypes.sizeof(messages.LongMemoryIntercept)
"""TLFS's, with the registers."""


class InterceptedRegisters(msgspec.Struct, frozen=True):
    """What the long form adds."""

    ds: Segment = Segment()
    ss: Segment = Segment()
    general: tuple[int, ...] = (0,) * len(_GENERAL)
    """RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 to R15."""


class Intercept(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of the payload, in its order; each keeps all of its bits, reserved ones too."""

    vp: int
    instruction_length: int = 0
    """0 for a fetch."""
    cr8: int = 0
    access: int
    """messages.InterceptAccess."""
    execution_state: int = 0
    """messages.ExecutionState."""
    cs: Segment = Segment()
    rip: int = 0
    rflags: int = 0
    cache_type: int = 0
    byte_count: int = 0
    access_info: int = 0
    """messages.MemoryAccessInfo."""
    tpr_priority: int = 0
    reserved: int = 0
    gva: int = 0
    gpa: int
    instruction: bytes = bytes(16)
    registers: InterceptedRegisters | None = None
    """None in the short form."""


def encode_payload(intercept: Intercept) -> bytes:
    """SHORT or LONG bytes."""
    head = MemoryIntercept(
        vp_index=intercept.vp,
        instruction_length=intercept.instruction_length,
        cr8=intercept.cr8,
        access=intercept.access,
        execution_state=intercept.execution_state,
        cs=encode_segment(intercept.cs),
        rip=intercept.rip,
        rflags=intercept.rflags,
        cache_type=intercept.cache_type,
        instruction_byte_count=intercept.byte_count,
        memory_access_info=intercept.access_info,
        tpr_priority=intercept.tpr_priority,
        reserved=intercept.reserved,
        gva=intercept.gva,
        gpa=intercept.gpa,
        instruction_bytes=(ctypes.c_uint8 * 16)(*intercept.instruction.ljust(16, b"\x00")),
    )
    return bytes(head) + (_encode_registers(intercept.registers) if intercept.registers else b"")


def decode_payload(payload: bytes) -> Intercept | None:
    """None where it is neither SHORT nor LONG bytes."""
    if len(payload) not in (SHORT, LONG):
        return None
    raw = MemoryIntercept.from_buffer_copy(payload)
    return Intercept(
        vp=raw.vp_index,
        instruction_length=raw.instruction_length,
        cr8=raw.cr8,
        access=raw.access,
        execution_state=raw.execution_state,
        cs=decode_segment(raw.cs),
        rip=raw.rip,
        rflags=raw.rflags,
        cache_type=raw.cache_type,
        byte_count=raw.instruction_byte_count,
        access_info=raw.memory_access_info,
        tpr_priority=raw.tpr_priority,
        reserved=raw.reserved,
        gva=raw.gva,
        gpa=raw.gpa,
        instruction=bytes(raw.instruction_bytes),
        registers=_decode_registers(payload) if len(payload) == LONG else None,
    )


def _encode_registers(registers: InterceptedRegisters) -> bytes:
    fields: dict[str, Any] = dict(zip(_GENERAL, registers.general, strict=True))
    return bytes(
        messages.InterceptRegisters(ds=encode_segment(registers.ds), ss=encode_segment(registers.ss), **fields)
    )


def _decode_registers(payload: bytes) -> InterceptedRegisters:
    raw = messages.InterceptRegisters.from_buffer_copy(payload, SHORT)
    general = tuple(getattr(raw, name) for name in _GENERAL)
    return InterceptedRegisters(decode_segment(raw.ds), decode_segment(raw.ss), general)


class SynicMessage(msgspec.Struct, frozen=True, kw_only=True):
    """HV_MESSAGE: `type` and payload; `flags` and `reserved` as they are in memory."""

    type: int = MessageType.GPA_INTERCEPT
    payload: bytes
    flags: int = 0
    reserved: int = 0
    sender: int = 0


def encode_message(message: SynicMessage) -> bytes:
    """256 bytes, zeros behind the payload."""
    head = messages.Message(type=message.type, payload_size=len(message.payload), reserved=message.reserved)
    head.sender = message.sender
    head.pending, head.flags_reserved = message.flags, message.flags >> 1
    start = messages.MESSAGE_SIZE - messages.MESSAGE_PAYLOAD
    return bytes(head)[:start] + message.payload.ljust(messages.MESSAGE_PAYLOAD, b"\x00")


def decode_message(data: bytes) -> SynicMessage | None:
    """None where it is not 256 bytes with a payload of at most 240."""
    if len(data) != messages.MESSAGE_SIZE or data[4] > messages.MESSAGE_PAYLOAD:
        return None
    raw = messages.Message.from_buffer_copy(data)
    return SynicMessage(
        type=raw.type,
        payload=bytes(raw.payload)[: raw.payload_size],
        flags=raw.pending | raw.flags_reserved << 1,
        reserved=raw.reserved,
        sender=raw.sender,
    )

"""An intercept message field by field, as a screen shows it beside its bytes: from the layouts of TLFS alone."""

import ctypes
from collections.abc import Iterator
from enum import IntEnum
from typing import Any

from engine.abi.tlfs.memory import CacheType
from engine.abi.tlfs.messages import (
    ExecutionState,
    InterceptAccess,
    LongMemoryIntercept,
    MemoryAccessInfo,
    Message,
    MessageType,
)
from engine.session.status import BitField, MessageField

_Structure = type[ctypes.LittleEndianStructure]
_INSIDE: dict[str, _Structure] = {"execution_state": ExecutionState, "memory_access_info": MemoryAccessInfo}
"""Numbers that are bit fields themselves."""
_WORDS: dict[str, type[IntEnum]] = {"type": MessageType, "access": InterceptAccess, "cache_type": CacheType}


def message_fields() -> list[MessageField]:
    """Of a memory intercept in its long form; the short one ends before the registers, as its payload size says."""
    payload: int = Message.payload.offset
    head = [field for field in _fields(Message, 0, "") if field.at < payload]
    return [*head, *_fields(LongMemoryIntercept, payload, "")]


def _fields(layout: _Structure, at: int, prefix: str) -> Iterator[MessageField]:
    """In order; bit fields that share their bytes are one."""
    shared: list[tuple[str, Any]] = []
    for name, kind, *width in layout._fields_:
        field = getattr(layout, name)
        if shared and (not width or field.offset != shared[0][1].offset):
            yield _shared(shared, at)
            shared = []
        if width:
            shared.append((name, field))
        elif issubclass(kind, ctypes.Structure):
            yield from _fields(kind, at + field.offset, _inner(prefix, name))  # type: ignore[arg-type]
        else:
            yield _plain(prefix + name, at + field.offset, field.size)
    if shared:
        yield _shared(shared, at)


def _inner(prefix: str, name: str) -> str:
    """The two halves of the payload need no name; a segment register does."""
    return prefix if name in ("intercept", "registers") else f"{prefix}{name}."


def _plain(name: str, at: int, size: int) -> MessageField:
    inside = _INSIDE.get(name)
    bits = [_bit_field(part, getattr(inside, part)) for part, *_ in inside._fields_] if inside else []
    words = {str(int(word)): word.name.replace("_", " ").lower() for word in _WORDS.get(name, ())}
    return MessageField(at, size, _spoken(name), bits, words)


def _shared(shared: list[tuple[str, Any]], at: int) -> MessageField:
    bits = [_bit_field(name, field) for name, field in shared]
    size = -(-sum(bit.width for bit in bits) // 8)
    return MessageField(at + shared[0][1].offset, size, "", bits, {})


def _bit_field(name: str, field: Any) -> BitField:
    """ctypes has a bit field's place in its size: the width above 16 bits, the first bit below."""
    return BitField(_spoken(name), field.size & 0xFFFF, field.size >> 16)


def _spoken(name: str) -> str:
    return name.replace("_", " ")

"""The guest's global descriptor table: what interrupt gates and segment loads refer to (SDM Vol. 3, 3.4.5)."""

import struct

from engine.abi import x86

GDT = struct.pack("<3Q", 0, x86.DESCRIPTOR_CODE, x86.DESCRIPTOR_DATA)
"""Null, 64-bit code of ring 0 (selector 0x08), data (0x10); accessed bits set, so that nobody writes to it."""

GATE_SIZE = 16


def idt(handlers: dict[int, int]) -> bytes:
    """An interrupt descriptor table: a 64-bit interrupt gate to each vector's handler address (SDM Vol. 3, 6.14.1)."""
    gates = (_gate(handlers[vector]) if vector in handlers else bytes(GATE_SIZE) for vector in range(max(handlers) + 1))
    return b"".join(gates)


def _gate(handler: int) -> bytes:
    middle = handler >> 16 & 0xFFFF
    return struct.pack("<HHBBHII", handler & 0xFFFF, x86.CODE_SELECTOR, 0, x86.GATE_INTERRUPT, middle, handler >> 32, 0)


def gate_offset(gate: bytes) -> int:
    """Where the gate leads."""
    low, _, _, _, middle, high, _ = struct.unpack("<HHBBHII", gate)
    return int(low | middle << 16 | high << 32)

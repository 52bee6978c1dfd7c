"""Synthetic interrupt sources (TLFS, SINTx Registers), and the interrupts that they and others ask for."""

import ctypes

SINTS = 16
SINT_RESET = 0x1_0000
"""Masked."""
VECTORS = range(16, 256)
"""Of a SINT, a synthetic IPI and VINA: "between 0x10 and 0xFF"."""


class Sint(ctypes.LittleEndianStructure):
    """HV_SYNIC_SINT; the reserved bits are kept as written (RsvdP)."""

    _fields_ = (
        ("vector", ctypes.c_uint64, 8),
        ("reserved1", ctypes.c_uint64, 8),
        ("masked", ctypes.c_uint64, 1),
        ("auto_eoi", ctypes.c_uint64, 1),
        ("polling", ctypes.c_uint64, 1),
        ("reserved2", ctypes.c_uint64, 45),
    )

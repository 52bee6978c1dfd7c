"""Between integers, bytes and the layouts of engine.abi.tlfs."""

import ctypes
from typing import Any, TypeVar

Layout = TypeVar("Layout", bound=ctypes.LittleEndianStructure)


def of_bits(layout: type[Layout], value: int) -> Layout:
    """A register or bit field; bits beyond its size are cut off."""
    size = ctypes.sizeof(layout)
    return layout.from_buffer_copy((value & ((1 << 8 * size) - 1)).to_bytes(size, "little"))


def to_bits(value: ctypes.LittleEndianStructure) -> int:
    return int.from_bytes(bytes(value), "little")


def bits(layout: type[ctypes.LittleEndianStructure], **fields: Any) -> int:
    """The register with these fields, all others zero."""
    return to_bits(layout(**fields))

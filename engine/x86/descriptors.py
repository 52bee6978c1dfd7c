"""The guest's global descriptor table: what interrupt gates and segment loads refer to (SDM Vol. 3, 3.4.5)."""

import struct

from engine.abi import x86

GDT = struct.pack("<3Q", 0, x86.DESCRIPTOR_CODE, x86.DESCRIPTOR_DATA)
"""Null, 64-bit code of ring 0 (selector 0x08), data (0x10); accessed bits set, so that nobody writes to it."""

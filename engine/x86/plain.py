"""Instructions that say all they do in their encoding: MOV between memory and a general register, and OUT."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import iced_x86 as iced
import msgspec

from engine.model.registers import NAMES
from engine.x86.decode import decode_raw
from engine.x86.operands import Reference, references


class PlainStore(msgspec.Struct, frozen=True, gc=False):
    """`length` bytes of code that store at `at`, change no flag and no register but RIP."""

    length: int
    at: Reference
    source: int | None
    """Place of the register in model.registers.NAMES; None: `immediate`."""
    shift: int
    """8 for AH, BH, CH and DH."""
    immediate: int

    def data(self, registers: Sequence[int]) -> bytes:
        """What is stored; `registers` in the order of NAMES."""
        value = self.immediate if self.source is None else registers[self.source] >> self.shift
        return (value & ((1 << 8 * self.at.size) - 1)).to_bytes(self.at.size, "little")


class PlainLoad(msgspec.Struct, frozen=True, gc=False):
    """`length` bytes of code that load from `at`, change no flag and no register but RIP and `register`."""

    length: int
    at: Reference
    register: int
    """Its place in model.registers.NAMES."""
    shift: int
    """8 for AH, BH, CH and DH."""

    def value(self, registers: Sequence[int], data: bytes) -> int:
        """Of the register once `data` is loaded; `registers` as before, in the order of NAMES."""
        loaded = int.from_bytes(data, "little")
        if self.at.size >= _CLEARS:
            return loaded
        kept = ~((1 << 8 * self.at.size) - 1 << self.shift)
        return registers[self.register] & kept | loaded << self.shift


_CLEARS = 4
"""Bytes from which on the whole register is written (SDM Vol. 1, 3.4.1.1)."""


@lru_cache(maxsize=4096)
def plain_store(code: bytes, rip: int) -> PlainStore | None:
    """None for every other instruction."""
    found = decode_raw(code, rip)
    if found is None or found.mnemonic != iced.Mnemonic.MOV or found.op0_kind != iced.OpKind.MEMORY:
        return None
    (at,) = references(code, rip)
    if found.op1_kind != iced.OpKind.REGISTER:
        return PlainStore(found.len, at, None, 0, found.immediate(1))
    source = SOURCES.get(found.op1_register)
    return None if source is None else PlainStore(found.len, at, *source, 0)


@lru_cache(maxsize=4096)
def plain_load(code: bytes, rip: int) -> PlainLoad | None:
    """None for every other instruction."""
    found = decode_raw(code, rip)
    if found is None or found.mnemonic != iced.Mnemonic.MOV or found.op1_kind != iced.OpKind.MEMORY:
        return None
    target = SOURCES.get(found.op0_register)
    if target is None:
        return None
    (at,) = references(code, rip)
    return PlainLoad(found.len, at, *target)


def _sources() -> dict[int, tuple[int, int]]:
    """Place and shift of each general register; segment registers are none."""
    names: Any = vars(iced.Register)
    every: dict[str, int] = {name: value for name, value in names.items() if isinstance(value, int)}
    full = {every[name.upper()]: place for place, name in enumerate(NAMES[:-2])}
    found: dict[int, tuple[int, int]] = {}
    for name, value in every.items():
        place = full.get(_full(value))
        if place is not None:
            found[value] = place, 8 if name in ("AH", "BH", "CH", "DH") else 0
    return found


def _full(register: Any) -> int:
    return int(iced.RegisterExt.full_register(register))


SOURCES = _sources()
"""By register: its place in model.registers.NAMES, and how far up in it."""


@lru_cache(maxsize=4096)
def plain_out(code: bytes, rip: int) -> int | None:
    """The length of an OUT that is not a string instruction; None for every other instruction."""
    found = decode_raw(code, rip)
    return None if found is None or found.mnemonic != iced.Mnemonic.OUT else found.len

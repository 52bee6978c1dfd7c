"""What an instruction would store, worked out from its encoding, the registers and what is in memory: MOV, and the
read-modify-writes that can be locked.

KVM's instruction emulator gives up on a locked one that meets a fence, and tells nothing of what it would have stored.
"""

from collections.abc import Callable, Sequence

import iced_x86 as iced
from msgspec.structs import astuple

from engine.abi.x86 import RFLAGS_CF
from engine.model.registers import NAMES, Registers
from engine.x86.decode import decode_raw
from engine.x86.plain import SOURCES, plain_store

_RAX, _RBX, _RCX, _RDX = (NAMES.index(name) for name in ("rax", "rbx", "rcx", "rdx"))
_FLAGS = NAMES.index("rflags")
Values = Sequence[int]
Operation = Callable[[int, int, Values, int], int]
"""From memory, the source operand, all registers and the operand's width in bits to what is stored, cut afterwards."""


def stored(code: bytes, rip: int, registers: Registers, old: bytes) -> bytes | None:
    """The operand's new bytes, `old` being those there now; None for an instruction that is not known here."""
    values, plain = astuple(registers), plain_store(code, rip)
    if plain is not None:
        return plain.data(values)
    found = decode_raw(code, rip)
    operation = _OPERATIONS.get(found.mnemonic) if found else None
    if found is None or operation is None or found.op0_kind != iced.OpKind.MEMORY:
        return None
    source = _source(found, values)
    if source is None:
        return None
    new = operation(int.from_bytes(old, "little"), source, values, 8 * len(old))
    return (new & ((1 << 8 * len(old)) - 1)).to_bytes(len(old), "little")


def _source(found: iced.Instruction, values: Values) -> int | None:
    if found.op_count < 2:
        return 0
    if found.op1_kind != iced.OpKind.REGISTER:
        return found.immediate(1)
    if found.mnemonic in _BITS:
        return None  # the bit may lie outside the operand
    place, shift = SOURCES[found.op1_register]
    return values[place] >> shift


def _compared(old: int, source: int, values: Values, bits: int) -> int:
    return source if old == values[_RAX] & ((1 << bits) - 1) else old


def _compared_pair(old: int, _: int, values: Values, bits: int) -> int:
    half = bits // 2
    low = (1 << half) - 1
    expected, new = ((values[high] & low) << half | values[at] & low for high, at in ((_RDX, _RAX), (_RCX, _RBX)))
    return new if old == expected else old


_OPERATIONS: dict[int, Operation] = {
    iced.Mnemonic.INC: lambda old, _, values, bits: old + 1,
    iced.Mnemonic.DEC: lambda old, _, values, bits: old - 1,
    iced.Mnemonic.NOT: lambda old, _, values, bits: ~old,
    iced.Mnemonic.NEG: lambda old, _, values, bits: -old,
    iced.Mnemonic.ADD: lambda old, source, values, bits: old + source,
    iced.Mnemonic.XADD: lambda old, source, values, bits: old + source,
    iced.Mnemonic.SUB: lambda old, source, values, bits: old - source,
    iced.Mnemonic.ADC: lambda old, source, values, bits: old + source + (values[_FLAGS] & RFLAGS_CF),
    iced.Mnemonic.SBB: lambda old, source, values, bits: old - source - (values[_FLAGS] & RFLAGS_CF),
    iced.Mnemonic.AND: lambda old, source, values, bits: old & source,
    iced.Mnemonic.OR: lambda old, source, values, bits: old | source,
    iced.Mnemonic.XOR: lambda old, source, values, bits: old ^ source,
    iced.Mnemonic.BTS: lambda old, source, values, bits: old | 1 << source % bits,
    iced.Mnemonic.BTR: lambda old, source, values, bits: old & ~(1 << source % bits),
    iced.Mnemonic.BTC: lambda old, source, values, bits: old ^ 1 << source % bits,
    iced.Mnemonic.XCHG: lambda old, source, values, bits: source,
    iced.Mnemonic.CMPXCHG: _compared,
    iced.Mnemonic.CMPXCHG8B: _compared_pair,
    iced.Mnemonic.CMPXCHG16B: _compared_pair,
}
_BITS = (iced.Mnemonic.BTS, iced.Mnemonic.BTR, iced.Mnemonic.BTC)

"""Machine code to people and to the VMM: one instruction, what it touches in memory, a listing. By iced-x86.

64-bit mode, flat segments (every segment base is 0, docs/guest.md), so an effective address is a linear address.
"""

import re
from functools import lru_cache

import iced_x86 as iced
import msgspec

from engine.model.registers import NAMES, Registers
from engine.model.rights import Access

MAX_LENGTH = 15
"""Longest x86 instruction (SDM Vol. 2, 2.3.11)."""


class Operand(msgspec.Struct, frozen=True):
    """`size` bytes at linear address `address` that an instruction reads, writes or both; 0: the size is not fixed
    by the encoding (xsave)."""

    address: int
    size: int
    access: tuple[Access, ...]


class Instruction(msgspec.Struct, frozen=True):
    """One decoded instruction; `code` has exactly `length` bytes."""

    rip: int
    length: int
    text: str
    """Intel syntax, numbers as 0x..., branch targets absolute."""
    code: bytes
    is_branch: bool
    """jmp, jcc, call, ret: sets RIP by other means than its own length."""
    is_string: bool
    """Has a rep prefix: one instruction, many accesses."""
    locked: bool
    """Atomic on the bus: a lock prefix, or xchg with memory, which locks without one (SDM Vol. 3, 9.1.2.1)."""


class Listed(msgspec.Struct, frozen=True):
    """A line of a listing: the bytes `code` at `address`, and what they say."""

    address: int
    code: bytes
    text: str

    @property
    def length(self) -> int:
        return len(self.code)


@lru_cache(maxsize=4096)
def decode(code: bytes, rip: int) -> Instruction | None:
    """The instruction at the start of `code` (bytes after it are ignored); None when there is none."""
    found = _raw(code, rip)
    if found is None:
        return None
    repeats = found.has_rep_prefix or found.has_repne_prefix
    return Instruction(
        rip=rip,
        length=found.len,
        text=_text(found),
        code=code[: found.len],
        is_branch=found.flow_control in _BRANCHES,
        is_string=found.is_string_instruction and repeats,
        locked=found.has_lock_prefix or (found.mnemonic == iced.Mnemonic.XCHG and found.memory_size != 0),
    )


def memory_operands(code: bytes, rip: int, registers: Registers) -> list[Operand]:
    """What the instruction does to memory with these registers, explicit and implicit (stack, string) operands.

    Of a repeated string instruction, the next iteration; nothing when RCX is 0. Gathers and scatters by vector index
    are left out: vector registers are not known here. Empty when `code` is not an instruction.
    """
    found = _raw(code, rip)
    if found is None or _repeats_no_more(found, registers):
        return []
    used = iced.InstructionInfoFactory().info(found).used_memory()
    operands = [_operand(found, memory, registers) for memory in used if not memory.vsib_size]
    return [operand for operand in operands if operand.access]


def listing(code: bytes, base: int) -> list[Listed]:
    """Linear sweep from `base`; a byte that starts no instruction becomes `.byte 0x..`."""
    lines: list[Listed] = []
    at = 0
    while at < len(code):
        line = _line(code[at : at + MAX_LENGTH], (base + at) & _ADDRESSES)
        lines.append(line)
        at += line.length
    return lines


def _line(code: bytes, address: int) -> Listed:
    found = decode(code, address)
    if found is None:
        return Listed(address, code[:1], f".byte {code[0]:#04x}")
    return Listed(address, found.code, found.text)


def _raw(code: bytes, rip: int) -> iced.Instruction | None:
    found = iced.Decoder(64, code[:MAX_LENGTH], ip=rip).decode()
    return None if found.is_invalid else found


def _repeats_no_more(found: iced.Instruction, registers: Registers) -> bool:
    repeats = found.is_string_instruction and (found.has_rep_prefix or found.has_repne_prefix)
    return repeats and registers.rcx == 0


def _operand(found: iced.Instruction, memory: iced.UsedMemory, registers: Registers) -> Operand:
    address = memory.displacement + _value(memory.base, registers) + _value(memory.index, registers) * memory.scale
    # iced gives a repeated access no size of its own, for it may be of any number of elements.
    size = iced.MemorySizeExt.size(memory.memory_size) or iced.MemorySizeExt.size(found.memory_size)
    width = (1 << 32) - 1 if memory.address_size == iced.CodeSize.CODE32 else (1 << 64) - 1
    return Operand(address & width, size, _ACCESS.get(memory.access, ()))


def _value(register: int, registers: Registers) -> int:
    if register == iced.Register.NONE:
        return 0
    name, mask = _REGISTERS[register]
    return int(getattr(registers, name)) & mask


def _text(found: iced.Instruction) -> str:
    return _SPACED.sub(", ", _formatter().format(found))


@lru_cache(maxsize=1)
def _formatter() -> iced.Formatter:
    made = iced.Formatter(iced.FormatterSyntax.INTEL)
    made.hex_prefix, made.hex_suffix = "0x", ""
    made.uppercase_hex = False
    made.branch_leading_zeros = False
    made.show_branch_size = False
    made.small_hex_numbers_in_decimal = False
    return made


def _register_names() -> dict[int, tuple[str, int]]:
    found: dict[int, tuple[str, int]] = {}
    for name in NAMES[:-2]:
        full = int(getattr(iced.Register, name.upper()))
        narrow = f"{name.upper()}D" if name[1:].isdigit() else f"E{name[1:].upper()}"
        found[full] = (name, (1 << 64) - 1)
        found[int(getattr(iced.Register, narrow))] = (name, (1 << 32) - 1)
    found[int(iced.Register.AL)] = ("rax", 0xFF)
    return found


_ADDRESSES = (1 << 64) - 1
_SPACED = re.compile(r",(?! )")
_REGISTERS = _register_names()
_READS, _WRITES = (Access.READ,), (Access.WRITE,)
_ACCESS: dict[int, tuple[Access, ...]] = {
    iced.OpAccess.READ: _READS,
    iced.OpAccess.COND_READ: _READS,
    iced.OpAccess.WRITE: _WRITES,
    iced.OpAccess.COND_WRITE: _WRITES,
    iced.OpAccess.READ_WRITE: _READS + _WRITES,
    iced.OpAccess.READ_COND_WRITE: _READS + _WRITES,
}
_BRANCHES = frozenset(
    {
        iced.FlowControl.UNCONDITIONAL_BRANCH,
        iced.FlowControl.INDIRECT_BRANCH,
        iced.FlowControl.CONDITIONAL_BRANCH,
        iced.FlowControl.RETURN,
        iced.FlowControl.CALL,
        iced.FlowControl.INDIRECT_CALL,
    }
)

"""What an instruction does to memory: which addresses it forms, out of which registers. By iced-x86.

64-bit mode, flat segments (every segment base is 0, docs/guest.md), so an effective address is a linear address.
"""

from collections.abc import Sequence
from functools import lru_cache

import iced_x86 as iced
import msgspec

from engine.abi.x86 import RFLAGS_DF
from engine.model.registers import NAMES, Registers
from engine.model.rights import Access
from engine.x86.decode import decode_raw

_FLAGS = NAMES.index("rflags")
_ADDRESSES = (1 << 64) - 1


class Operand(msgspec.Struct, frozen=True):
    """`size` bytes at linear address `address` that an instruction reads, writes or both; 0: the size is not fixed
    by the encoding (xsave)."""

    address: int
    size: int
    access: tuple[Access, ...]
    stack: bool = False
    """Through SS: at RSP or RBP, or by a push or pop."""


class Reference(msgspec.Struct, frozen=True, gc=False):
    """An operand with its address still a formula. `base` and `index` are places in model.registers.NAMES."""

    size: int
    access: tuple[Access, ...]
    displacement: int
    base: int | None
    base_mask: int
    index: int | None
    index_mask: int
    scale: int
    width: int
    """What the address is cut to."""
    step: int = 0
    """By how much a string instruction has moved on meanwhile, up or down by the direction flag."""
    stack: bool = False

    def address(self, registers: Sequence[int]) -> int:
        """`registers` in the order of NAMES."""
        at = self.displacement
        if self.base is not None:
            at += registers[self.base] & self.base_mask
        if self.index is not None:
            at += (registers[self.index] & self.index_mask) * self.scale
        if self.step:
            at += self.step if registers[_FLAGS] & RFLAGS_DF else -self.step
        return at & self.width


def memory_operands(code: bytes, rip: int, registers: Registers) -> list[Operand]:
    """What the instruction does to memory with these registers, explicit and implicit (stack, string) operands.

    Of a repeated string instruction, the next iteration; nothing when RCX is 0. Gathers and scatters by vector index
    are left out: vector registers are not known here. Empty when `code` is not an instruction.
    """
    if registers.rcx == 0 and _repeats(code, rip):
        return []
    words = msgspec.structs.astuple(registers)
    return [Operand(one.address(words), one.size, one.access, one.stack) for one in references(code, rip)]


@lru_cache(maxsize=4096)
def references(code: bytes, rip: int) -> tuple[Reference, ...]:
    """The instruction's operands, by the registers before it."""
    found = decode_raw(code, rip)
    if found is None:
        return ()
    used = iced.InstructionInfoFactory().info(found).used_memory()
    every = [_reference(found, memory) for memory in used if not memory.vsib_size]
    return tuple(one for one in every if one.access)


@lru_cache(maxsize=4096)
def stores_after(code: bytes, rip: int) -> tuple[Reference, ...]:
    """What the instruction writes, by the registers that it leaves; without what those do not tell any more."""
    found = decode_raw(code, rip)
    if found is None:
        return ()
    changed, moved = registers_written(found), found.stack_pointer_increment
    every = (_after(one, found, changed, moved) for one in references(code, rip) if Access.WRITE in one.access)
    return tuple(one for one in every if one is not None)


def registers_written(found: iced.Instruction) -> set[int]:
    """General registers, the full ones, that the instruction may change."""
    used = iced.InstructionInfoFactory().info(found).used_registers()
    full = {iced.RegisterExt.full_register(entry.register) for entry in used if entry.access in _WRITES}
    return {register for register in full if iced.RegisterExt.is_gpr(register)}


def _after(before: Reference, found: iced.Instruction, changed: set[int], moved: int) -> Reference | None:
    if found.is_string_instruction:
        return msgspec.structs.replace(before, step=before.size) if before.base == _RDI else None
    uses = {place for place in (before.base, before.index) if place is not None}
    lost = uses & {_PLACES[register] for register in changed}
    if not lost:
        return before
    if lost == {_RSP} and moved:
        return msgspec.structs.replace(before, displacement=before.displacement - moved)
    return None


def _reference(found: iced.Instruction, memory: iced.UsedMemory) -> Reference:
    base, index = _REGISTERS[memory.base], _REGISTERS[memory.index]
    return Reference(
        # iced gives a repeated access no size of its own, for it may be of any number of elements.
        size=iced.MemorySizeExt.size(memory.memory_size) or iced.MemorySizeExt.size(found.memory_size),
        access=_ACCESS.get(memory.access, ()),
        displacement=memory.displacement,
        base=base[0],
        base_mask=base[1],
        index=index[0],
        index_mask=index[1],
        scale=memory.scale,
        width=(1 << 32) - 1 if memory.address_size == iced.CodeSize.CODE32 else _ADDRESSES,
        stack=memory.segment == iced.Register.SS,
    )


def _repeats(code: bytes, rip: int) -> bool:
    found = decode_raw(code, rip)
    return found is not None and found.is_string_instruction and (found.has_rep_prefix or found.has_repne_prefix)


def _register_places() -> dict[int, tuple[int | None, int]]:
    """The place in NAMES and the mask of each register that an address can be made of."""
    found: dict[int, tuple[int | None, int]] = {int(iced.Register.NONE): (None, 0)}
    for place, name in enumerate(NAMES[:-2]):
        full = int(getattr(iced.Register, name.upper()))
        narrow = f"{name.upper()}D" if name[1:].isdigit() else f"E{name[1:].upper()}"
        found[full] = (place, (1 << 64) - 1)
        found[int(getattr(iced.Register, narrow))] = (place, (1 << 32) - 1)
    found[int(iced.Register.AL)] = (NAMES.index("rax"), 0xFF)
    return found


_REGISTERS = _register_places()
_PLACES = {register: place for register, (place, _) in _REGISTERS.items()}
_RSP, _RDI = NAMES.index("rsp"), NAMES.index("rdi")
_READS, _WRITES_ONLY = (Access.READ,), (Access.WRITE,)
_ACCESS: dict[int, tuple[Access, ...]] = {
    iced.OpAccess.READ: _READS,
    iced.OpAccess.COND_READ: _READS,
    iced.OpAccess.WRITE: _WRITES_ONLY,
    iced.OpAccess.COND_WRITE: _WRITES_ONLY,
    iced.OpAccess.READ_WRITE: _READS + _WRITES_ONLY,
    iced.OpAccess.READ_COND_WRITE: _READS + _WRITES_ONLY,
}
_WRITES = {
    iced.OpAccess.WRITE,
    iced.OpAccess.COND_WRITE,
    iced.OpAccess.READ_WRITE,
    iced.OpAccess.READ_COND_WRITE,
}

"""Taking back what a store instruction did to the registers, so that it can be executed again from its start.

KVM's emulator finishes an instruction, registers and RIP included, before it reports the store as an MMIO exit; only
the bytes never reach memory. What is changed is derived from the instruction (SDM Vol. 2).
"""

import iced_x86 as iced
from msgspec.structs import replace

from engine.abi.x86 import RFLAGS_DF
from engine.model.registers import NAMES, Registers
from engine.x86.operands import registers_written

_MASK = (1 << 64) - 1
_STOS = {
    iced.Mnemonic.STOSB: 1,
    iced.Mnemonic.STOSW: 2,
    iced.Mnemonic.STOSD: 4,
    iced.Mnemonic.STOSQ: 8,
}
_MOVS = {
    iced.Mnemonic.MOVSB: 1,
    iced.Mnemonic.MOVSW: 2,
    iced.Mnemonic.MOVSD: 4,
    iced.Mnemonic.MOVSQ: 8,
}
_INS = {iced.Mnemonic.INSB: 1, iced.Mnemonic.INSW: 2, iced.Mnemonic.INSD: 4}
_RSP = int(iced.Register.RSP)


def undo(found: iced.Instruction, after: Registers, data: bytes) -> Registers | None:
    """Registers before `found`, which stored `data` and left `after`. None when they cannot be derived.

    Arithmetic flags stay as they were left where the instruction sets them anew whatever they were.
    """
    before = replace(after, rip=found.ip)
    if found.is_string_instruction:
        return _undo_string(found, before)
    if found.mnemonic == iced.Mnemonic.XADD:
        return _undo_xadd(found, before, data)
    # adc, sbb, rcl and rcr would start from the carry that they themselves left behind.
    if found.rflags_read & found.rflags_modified:
        return None
    written = registers_written(found)
    if written == {_RSP} and found.stack_pointer_increment:
        return replace(before, rsp=(before.rsp - found.stack_pointer_increment) & _MASK)
    return None if written else before


def _undo_string(found: iced.Instruction, before: Registers) -> Registers | None:
    """One element of stos, movs or ins: the index registers moved by its size, RCX went down if repeated."""
    size = _STOS.get(found.mnemonic) or _MOVS.get(found.mnemonic) or _INS.get(found.mnemonic)
    if size is None or found.op0_kind != iced.OpKind.MEMORY_ESRDI:
        return None
    step = -size if before.rflags & RFLAGS_DF else size
    before = replace(before, rdi=(before.rdi - step) & _MASK)
    if found.mnemonic in _MOVS:
        before = replace(before, rsi=(before.rsi - step) & _MASK)
    repeats = found.has_rep_prefix or found.has_repne_prefix
    return replace(before, rcx=(before.rcx + 1) & _MASK) if repeats else before


def _undo_xadd(found: iced.Instruction, before: Registers, data: bytes) -> Registers | None:
    """Memory got old + register, the register got old: their difference is what the register held."""
    register = found.op1_register
    size = iced.RegisterExt.size(register)
    if len(data) != size or _is_high_byte(register):
        return None
    name = _NAMES[int(iced.RegisterExt.full_register(register))]
    low = (1 << size * 8) - 1
    now = int(getattr(before, name))
    then = (int.from_bytes(data, "little") - now) & low
    return replace(before, **{name: (now & ~low) | then})


def _is_high_byte(register: int) -> bool:
    return register in (iced.Register.AH, iced.Register.BH, iced.Register.CH, iced.Register.DH)


_NAMES = {int(getattr(iced.Register, name.upper())): name for name in NAMES[:-2]}

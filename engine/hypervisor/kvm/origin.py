"""Which instruction caused an exit, when RIP is already past it.

KVM's emulator reports stores and OUTs with RIP behind the instruction. Its start is found by a linear sweep from where
the vCPU began, or else backwards: the instruction of 1 to 15 bytes ending at RIP that fits what was done.
"""

from collections.abc import Callable, Iterator, Sequence

import iced_x86 as iced
import msgspec

from engine.hypervisor.kvm.address_space import AddressSpace
from engine.hypervisor.kvm.undo import undo
from engine.model.address import PAGE_SIZE
from engine.model.registers import Registers
from engine.model.rights import Access
from engine.x86.decode import MAX_LENGTH, decode, decode_raw
from engine.x86.operands import Reference, memory_operands, references, stores_after

SWEEP = 0x2000
"""Bytes of code a sweep goes through at most."""


class Origin(msgspec.Struct, frozen=True):
    """The instruction behind an exit: address, bytes and text; neither when it could not be told."""

    rip: int
    code: bytes
    text: str = ""
    references: tuple[Reference, ...] = ()
    """What it reads and writes, by the registers as they are at the exit."""

    def gvas(self, gpa: int, size: int, access: Access, registers: Sequence[int]) -> list[int]:
        """Through which guest-virtual addresses it may have come to `size` bytes at `gpa`: an offset within a page is
        the same in both. `registers` in KVM_GET_REGS order."""
        found: list[int] = []
        for reference in self.references:
            if access in reference.access:
                at = reference.address(registers)
                within = (gpa - at) % PAGE_SIZE
                if within + size <= reference.size:
                    found.append(at + within)
        return found


class Store(msgspec.Struct, frozen=True):
    """What an MMIO exit tells of a store: RAM bytes not written, and the registers afterwards."""

    gpa: int
    data: bytes
    after: Registers


Fits = Callable[[iced.Instruction], bool]


def at_rip(space: AddressSpace, rip: int) -> Origin:
    """RIP is still at the instruction."""
    found = decode(space.read(rip, MAX_LENGTH), rip)
    return Origin(rip, found.code, found.text, references(found.code, rip)) if found else Origin(rip, b"")


def _done(rip: int, code: bytes) -> Origin:
    """The instruction at `rip` has stored what it stores."""
    found = decode(code, rip)
    return Origin(rip, code, found.text if found else "", stores_after(code, rip))


def of_store(space: AddressSpace, entry: int, store: Store) -> Origin:
    """The instruction that did `store`; `entry` is an address where some instruction is known to begin."""
    rip = store.after.rip

    def fits(found: iced.Instruction) -> bool:
        return stores(space, found, store)

    here = decode_raw(space.read(rip, MAX_LENGTH), rip)
    if here and _repeats(here) and fits(here):
        return _done(rip, space.read(rip, here.len))
    found = _before(space, entry, rip, fits) or _call(space, store) or _part_of_call(space, entry, store)
    return found or Origin(rip, b"")


def of_out(space: AddressSpace, entry: int, rip: int, size: int) -> Origin:
    """The OUT or OUTS of `size` bytes that has just finished at `rip`, or is repeating there."""

    def fits(found: iced.Instruction) -> bool:
        return _OUTS.get(found.code) == size

    here = decode_raw(space.read(rip, MAX_LENGTH), rip)
    if here and _repeats(here) and fits(here):
        return at_rip(space, rip)
    return _before(space, entry, rip, fits) or Origin(rip, b"")


def stores(space: AddressSpace, found: iced.Instruction, store: Store) -> bool:
    """Whether `found` could have done `store`: it writes there, and those bytes as far as they can be known."""
    code = space.read(found.ip, found.len)
    before = undo(found, store.after, store.data) or msgspec.structs.replace(store.after, rip=found.ip)
    known = _source(found, before)
    if known is not None and known[: len(store.data)] != store.data and len(known) == len(store.data):
        return False
    written = (operand for operand in memory_operands(code, found.ip, before) if Access.WRITE in operand.access)
    pieces = (piece for operand in written for piece in space.pieces(operand.address, operand.size))
    return (store.gpa, len(store.data)) in pieces


def _repeats(found: iced.Instruction) -> bool:
    """Only a repeated string instruction stays at RIP after one of its accesses."""
    return found.is_string_instruction and (found.has_rep_prefix or found.has_repne_prefix)


def _before(space: AddressSpace, entry: int, end: int, fits: Fits) -> Origin | None:
    for start in _starts(space, entry, end):
        code = space.read(start, end - start)
        found = decode_raw(code, start)
        if found and found.len == end - start and fits(found):
            return _done(start, code)
    return None


def _starts(space: AddressSpace, entry: int, end: int) -> Iterator[int]:
    swept = _sweep(space, entry, end)
    if swept is not None:
        yield swept
    yield from range(end - 1, max(end - MAX_LENGTH, 0) - 1, -1)


def _sweep(space: AddressSpace, entry: int, end: int) -> int | None:
    """Start of the instruction that ends at `end` when all from `entry` on are decoded in a row."""
    if not entry < end <= entry + SWEEP:
        return None
    last = None
    for found in iced.Decoder(64, space.read(entry, end - entry), ip=entry):
        last = found
    return last.ip if last and last.next_ip == end and not last.is_invalid else None


def _call(space: AddressSpace, store: Store) -> Origin | None:
    """A call stores its return address and has gone to its target: it ends where the stored bytes point."""
    if len(store.data) != 8:
        return None
    end = int.from_bytes(store.data, "little")

    def fits(found: iced.Instruction) -> bool:
        direct = found.is_call_near and found.near_branch_target == store.after.rip
        return (direct or found.is_call_near_indirect) and stores(space, found, store)

    return _before(space, end, end, fits)


def _part_of_call(space: AddressSpace, entry: int, store: Store) -> Origin | None:
    """A return address across two pages comes in two stores, and neither tells where the call was: a sweep finds it."""
    parts = space.pieces(store.after.rsp, 8)
    if len(parts) != 2 or (store.gpa, len(store.data)) not in parts:
        return None
    part = slice(parts[0][1], 8) if store.gpa == parts[1][0] else slice(0, parts[0][1])
    for found in iced.Decoder(64, space.read(entry, SWEEP), ip=entry):
        calls = found.is_call_near_indirect or (found.is_call_near and found.near_branch_target == store.after.rip)
        if calls and found.next_ip.to_bytes(8, "little")[part] == store.data:
            return _done(found.ip, space.read(found.ip, found.len))
    return None


def _source(found: iced.Instruction, before: Registers) -> bytes | None:
    """The bytes a plain mov or push of a register stores; None for all else."""
    operand = {iced.Mnemonic.MOV: 1, iced.Mnemonic.PUSH: 0}.get(found.mnemonic)
    if operand is None or found.op_kind(operand) != iced.OpKind.REGISTER:
        return None
    register = found.op_register(operand)
    name = _NAMES.get(int(iced.RegisterExt.full_register(register)))
    if name is None or register in _HIGH_BYTES:
        return None
    return int(getattr(before, name)).to_bytes(8, "little")[: iced.RegisterExt.size(register)]


_HIGH_BYTES = (iced.Register.AH, iced.Register.BH, iced.Register.CH, iced.Register.DH)
_NAMES = {int(getattr(iced.Register, name.upper())): name for name in Registers.__struct_fields__[:-2]}
_OUTS = {
    iced.Code.OUT_IMM8_AL: 1,
    iced.Code.OUT_IMM8_AX: 2,
    iced.Code.OUT_IMM8_EAX: 4,
    iced.Code.OUT_DX_AL: 1,
    iced.Code.OUT_DX_AX: 2,
    iced.Code.OUT_DX_EAX: 4,
    iced.Code.OUTSB_DX_M8: 1,
    iced.Code.OUTSW_DX_M16: 2,
    iced.Code.OUTSD_DX_M32: 4,
}

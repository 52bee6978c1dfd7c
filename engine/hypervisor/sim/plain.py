"""Instructions that need no trial: OUT, and a denied MOV within a page. What they do is in their encoding.

It is what the trial (trial.py) would come to, at a third of the price: nothing is executed for it.
"""

from collections.abc import Sequence

import msgspec

from engine.abi.x86 import RFLAGS_TF
from engine.hypervisor.sim.exits import Verdict, judged, memory_exit
from engine.hypervisor.sim.processor import Processor
from engine.hypervisor.sim.scratch import Piece
from engine.hypervisor.sim.space import READONLY
from engine.hypervisor.sim.stop import Denied, PortAccess
from engine.hypervisor.sim.trial import filled
from engine.model.address import PAGE_SIZE
from engine.model.exits import AnyExit
from engine.model.registers import NAMES
from engine.model.resolution import Complete, Drop
from engine.model.rights import Access
from engine.x86.plain import PlainLoad, plain_load, plain_out, plain_store

_RIP = NAMES.index("rip")


class DeniedMove(msgspec.Struct, frozen=True, gc=False):
    """What waits for an answer: the access, why it left the guest, and where the next instruction is."""

    piece: Piece
    asked: Verdict
    next: int
    load: PlainLoad | None
    """None: a store."""


class Plain:
    """Those of one vCPU."""

    def __init__(self, processor: Processor) -> None:
        self._cpu, self._core = processor, processor.core

    def ask(self, denied: Denied) -> tuple[DeniedMove, AnyExit] | None:
        """What waits, and how it is told; None when only a trial can tell, or a trap has to follow."""
        live = self._core.live
        if live.flags.value & RFLAGS_TF:
            return None
        registers = live.general()
        where = self._cpu.where(registers[_RIP])
        move = _move(where["code"], registers, denied)
        return None if move is None else (move, memory_exit(self._cpu.space, move.piece, move.asked, where))

    def answer(self, move: DeniedMove, resolution: Complete | Drop) -> bool:
        """Whether it has happened; False when it must be asked again, for its page is no longer what it was."""
        data = resolution.data if isinstance(resolution, Complete) else None
        lifted = isinstance(resolution, Complete) and data is None and move.asked is Verdict.PROTECTION
        if move.load is None:
            happens = not lifted or self._store(move.piece)
        else:
            happens = self._load(move.load, move.piece, None if lifted else filled(data, move.piece.size))
        if happens:
            self._skip_to(move.next)
        return happens

    def pass_out(self, access: PortAccess) -> bool:
        """Whether it has happened: OUT changes nothing but RIP, whatever the answer."""
        rip = access.before.rip
        length = plain_out(self._cpu.text.line(rip).code, rip)
        if access.value is None or length is None or access.before.rflags & RFLAGS_TF:
            return False
        self._skip_to(rip + length)
        return True

    def _store(self, piece: Piece) -> bool:
        slot = self._cpu.space.slots.at(piece.gpa)
        if slot is None or slot.flags & READONLY:
            return False
        assert piece.data is not None
        self._cpu.memory.store(slot, piece.gpa, piece.data)
        return True

    def _load(self, load: PlainLoad, piece: Piece, data: bytes | None) -> bool:
        """`data` None: what memory holds."""
        if data is None:
            if self._cpu.space.slots.at(piece.gpa) is None:
                return False
            data = self._cpu.memory.read(piece.gpa, piece.size)
        live = self._core.live
        live.set(load.register, load.value(live.general(), data))
        return True

    def _skip_to(self, rip: int) -> None:
        self._core.live.rip.value = rip
        self._core.executed += 1


def _move(code: bytes, registers: Sequence[int], denied: Denied) -> DeniedMove | None:
    """What the instruction was denied, if it is such a MOV. `registers` in the order of NAMES, up to RIP."""
    rip, access = registers[_RIP], denied.access
    store, load = (plain_store(code, rip), None) if access is Access.WRITE else (None, plain_load(code, rip))
    move = store or load
    if move is None or denied.gpa is None:
        return None
    gva, size = move.at.address(registers), move.at.size
    if gva != denied.gva or gva % PAGE_SIZE + size > PAGE_SIZE:
        return None
    asked = judged(denied.slot, denied.left, access)
    if store and asked is Verdict.PROTECTION and denied.slot is not None and denied.slot.flags & READONLY:
        return None  # it has a second exit beneath its fence
    data = None if store is None else store.data(registers)
    piece = Piece(denied.gpa & -PAGE_SIZE | gva % PAGE_SIZE, access, size, data, gva)
    return DeniedMove(piece, asked, rip + move.length, load)

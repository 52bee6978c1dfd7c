"""Denied stores that need no trial: a plain MOV within a page. Their exit and their effect are in the encoding.

What it does is what the trial (trial.py) would come to, at a third of the price: nothing is executed for it.
"""

from collections.abc import Sequence

import msgspec

from engine.hypervisor.sim.exits import Verdict, judged
from engine.hypervisor.sim.memory import SimMemory
from engine.hypervisor.sim.scratch import Piece
from engine.hypervisor.sim.space import READONLY, Space
from engine.hypervisor.sim.stop import Denied
from engine.model.address import PAGE_SIZE
from engine.model.registers import NAMES
from engine.model.resolution import Complete, Drop
from engine.model.rights import Access
from engine.x86.plain import plain_store

RIP = NAMES.index("rip")


class DeniedStore(msgspec.Struct, frozen=True, gc=False):
    """What waits for an answer: the store, why it left the guest, and where the next instruction is."""

    piece: Piece
    asked: Verdict
    next: int


class PlainStores:
    """Of one vm."""

    def __init__(self, space: Space, memory: SimMemory) -> None:
        self._space, self._memory = space, memory

    def found(self, code: bytes, registers: Sequence[int], denied: Denied) -> DeniedStore | None:
        """What the instruction was denied; None when only a trial can tell. `registers` in the order of NAMES, up to
        RIP."""
        rip = registers[RIP]
        store = plain_store(code, rip)
        if store is None or denied.gpa is None:
            return None
        gva, size = store.to.address(registers), store.to.size
        if gva != denied.gva or gva % PAGE_SIZE + size > PAGE_SIZE:
            return None
        asked = judged(denied.slot, denied.left, Access.WRITE)
        if asked is Verdict.PROTECTION and denied.slot is not None and denied.slot.flags & READONLY:
            return None  # such a store has a second exit beneath its fence
        gpa = denied.gpa & -PAGE_SIZE | gva % PAGE_SIZE
        piece = Piece(gpa, Access.WRITE, size, store.data(registers), gva)
        return DeniedStore(piece, asked, rip + store.length)

    def answer(self, store: DeniedStore, resolution: Complete | Drop) -> bool:
        """Whether it has happened; False when it must be asked again, for its page is no longer what it was."""
        if store.asked is not Verdict.PROTECTION or not isinstance(resolution, Complete) or resolution.data is not None:
            return True
        gpa, data = store.piece.gpa, store.piece.data
        slot = self._space.slots.at(gpa)
        if slot is None or slot.flags & READONLY:
            return False
        assert data is not None
        self._memory.store(slot, gpa, data)
        return True

"""Denied stores that need no trial: a plain MOV within a page. Their exit and their effect are in the encoding.

What it does is what the trial (trial.py) would come to, at a third of the price: nothing is executed for it.
"""

from collections.abc import Sequence

import msgspec

from engine.hypervisor.sim.exits import Verdict, verdict
from engine.hypervisor.sim.memory import SimMemory
from engine.hypervisor.sim.scratch import Piece
from engine.hypervisor.sim.space import Space
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

    def found(self, code: bytes, registers: Sequence[int], denied: Denied, vtl: int) -> DeniedStore | None:
        """What the instruction was denied; None when only a trial can tell. `registers` in the order of NAMES, up to
        RIP."""
        rip = registers[RIP]
        store = plain_store(code, rip)
        if store is None or denied.gpa is None:
            return None
        gva = store.to.address(registers)
        if gva != denied.gva or gva % PAGE_SIZE + store.to.size > PAGE_SIZE:
            return None
        gpa = denied.gpa & -PAGE_SIZE | gva % PAGE_SIZE
        asked = verdict(self._space, vtl, gpa, Access.WRITE)
        if asked is Verdict.ALLOWED or (asked is Verdict.PROTECTION and self._is_read_only(gpa, vtl)):
            return None
        return DeniedStore(
            Piece(gpa, Access.WRITE, store.to.size, store.data(registers), gva), asked, rip + store.length
        )

    def answer(self, store: DeniedStore, resolution: Complete | Drop, vtl: int) -> bool:
        """Whether it has happened; False when it must be asked again, for its page is no longer what it was."""
        lifted = isinstance(resolution, Complete) and resolution.data is None and store.asked is Verdict.PROTECTION
        if lifted:
            if verdict(self._space, vtl, store.piece.gpa, Access.WRITE, masked=False) is not Verdict.ALLOWED:
                return False
            assert store.piece.data is not None
            self._memory.write(store.piece.gpa, store.piece.data)
        return True

    def _is_read_only(self, gpa: int, vtl: int) -> bool:
        """Beneath its fence: such a store has a second exit."""
        return verdict(self._space, vtl, gpa, Access.WRITE, masked=False) is Verdict.MMIO

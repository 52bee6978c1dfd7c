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
from engine.model.address import PAGE_SIZE
from engine.model.exits import AnyExit
from engine.model.registers import NAMES
from engine.model.resolution import Complete, Drop
from engine.model.rights import Access
from engine.x86.plain import plain_out, plain_store

_RIP = NAMES.index("rip")


class DeniedStore(msgspec.Struct, frozen=True, gc=False):
    """What waits for an answer: the store, why it left the guest, and where the next instruction is."""

    piece: Piece
    asked: Verdict
    next: int


class Plain:
    """Those of one vCPU."""

    def __init__(self, processor: Processor) -> None:
        self._cpu, self._core = processor, processor.core

    def ask(self, denied: Denied) -> tuple[DeniedStore, AnyExit] | None:
        """What waits, and how it is told; None when only a trial can tell, or a trap has to follow."""
        live = self._core.live
        if live.traps:
            return None
        registers = live.general()
        where = self._cpu.where(registers[_RIP])
        store = _store(where["code"], registers, denied)
        return None if store is None else (store, memory_exit(self._cpu.space, store.piece, store.asked, where))

    def answer(self, store: DeniedStore, resolution: Complete | Drop) -> bool:
        """Whether it has happened; False when it must be asked again, for its page is no longer what it was."""
        lifted = isinstance(resolution, Complete) and resolution.data is None and store.asked is Verdict.PROTECTION
        if lifted and not self._lands(store.piece):
            return False
        self._skip_to(store.next)
        return True

    def pass_out(self, access: PortAccess) -> bool:
        """Whether it has happened: OUT changes nothing but RIP, whatever the answer."""
        rip = access.before.rip
        length = plain_out(self._cpu.text.line(rip).code, rip)
        if access.value is None or length is None or access.before.rflags & RFLAGS_TF:
            return False
        self._skip_to(rip + length)
        return True

    def _lands(self, piece: Piece) -> bool:
        slot = self._cpu.space.slots.at(piece.gpa)
        if slot is None or slot.flags & READONLY:
            return False
        assert piece.data is not None
        self._cpu.memory.store(slot, piece.gpa, piece.data)
        return True

    def _skip_to(self, rip: int) -> None:
        self._core.live.rip = rip
        self._core.executed += 1


def _store(code: bytes, registers: Sequence[int], denied: Denied) -> DeniedStore | None:
    """What the instruction was denied, if it is such a store. `registers` in the order of NAMES, up to RIP."""
    rip = registers[_RIP]
    store = plain_store(code, rip)
    if store is None or denied.gpa is None:
        return None
    gva, size = store.to.address(registers), store.to.size
    if gva != denied.gva or gva % PAGE_SIZE + size > PAGE_SIZE:
        return None
    asked = judged(denied.slot, denied.left, Access.WRITE)
    if asked is Verdict.PROTECTION and denied.slot is not None and denied.slot.flags & READONLY:
        return None  # it has a second exit beneath its fence
    gpa = denied.gpa & -PAGE_SIZE | gva % PAGE_SIZE
    return DeniedStore(Piece(gpa, Access.WRITE, size, store.data(registers), gva), asked, rip + store.length)

"""The guest's code as the VMM reads it: by virtual address, through tables and slots, whatever the masks say."""

import ctypes

from engine.hypervisor.sim.ram import Ram
from engine.hypervisor.sim.space import Space
from engine.hypervisor.sim.translate import Translator
from engine.model.address import PAGE_SHIFT, PAGE_SIZE
from engine.x86.decode import MAX_LENGTH, Instruction, decode


class GuestText:
    """One vCPU's view; `cr3` is the core's own word."""

    def __init__(self, tables: Translator, cr3: ctypes.c_uint64, space: Space, ram: Ram) -> None:
        self._tables, self._cr3, self._space, self._ram = tables, cr3, space, ram

    def instruction(self, rip: int) -> Instruction | None:
        """None when the bytes there are none, or not all there."""
        return decode(self._bytes(rip, MAX_LENGTH), rip)

    def shown(self, rip: int) -> tuple[bytes, str]:
        """The bytes of the instruction and its text; up to 15 bytes as they stand, and no text, when they make none."""
        raw = self._bytes(rip, MAX_LENGTH)
        found = decode(raw, rip)
        return (found.code, found.text) if found else (raw, "")

    def reaches(self, rip: int, gva: int) -> bool:
        """Whether the instruction at `rip` has bytes in the page of `gva`, its own or the next."""
        if rip >> PAGE_SHIFT == gva >> PAGE_SHIFT:
            return True
        here = PAGE_SIZE - rip % PAGE_SIZE
        return here < MAX_LENGTH and decode(self._bytes(rip, here), rip) is None

    def _bytes(self, gva: int, size: int) -> bytes:
        """Up to the first byte that is not there."""
        leads = self._tables.translate(self._cr3.value, gva)
        slot = None if leads is None else self._space.slots.at(leads[0])
        if leads is not None and slot is not None and gva % PAGE_SIZE <= PAGE_SIZE - size:
            at = slot.offset + leads[0] - slot.base
            return bytes(self._ram.view[at : at + size])
        found = b""
        while len(found) < size:
            leads = self._tables.translate(self._cr3.value, gva + len(found))
            at = None if leads is None else self._space.offset(leads[0])
            if at is None:
                break
            found += self._ram.view[at : at + min(size - len(found), PAGE_SIZE - at % PAGE_SIZE)]
        return found

"""The guest's code as the VMM reads it: by virtual address, through tables and slots, whatever the masks say."""

import ctypes

import msgspec

from engine.hypervisor.sim.ram import Ram
from engine.hypervisor.sim.space import Space
from engine.hypervisor.sim.translate import Translator
from engine.model.address import PAGE_SHIFT, PAGE_SIZE
from engine.x86.decode import MAX_LENGTH, Instruction, decode

_REMEMBERED = 4096


class Line(msgspec.Struct, frozen=True, gc=False):
    """An instruction where it was last found: `raw` at `offset` in RAM, to which `gpa` led in the slots of `layout`."""

    code: bytes
    """Up to 15 bytes as they stand, and no text, when they make none."""
    text: str
    raw: bytes
    offset: int
    gpa: int
    layout: int


class GuestText:
    """One vCPU's view; `cr3` is the core's own word."""

    def __init__(self, tables: Translator, cr3: ctypes.c_uint64, space: Space, ram: Ram) -> None:
        self._tables, self._cr3, self._space, self._ram = tables, cr3, space, ram
        self._lines: dict[int, Line] = {}
        """By address."""

    def instruction(self, rip: int) -> Instruction | None:
        """None when the bytes there are none, or not all there."""
        return decode(self._bytes(rip, MAX_LENGTH), rip)

    def line(self, rip: int) -> Line:
        """What stands there now: a line is known again by its place and its bytes."""
        leads, line = self._tables.translate(self._cr3.value, rip), self._lines.get(rip)
        gpa = None if leads is None else leads[0]
        if line is None or line.gpa != gpa or line.layout != self._space.layout:
            return self._found(rip, gpa)
        same = self._ram.view[line.offset : line.offset + MAX_LENGTH].tobytes() == line.raw
        return line if same else self._found(rip, gpa)

    def reaches(self, rip: int, gva: int) -> bool:
        """Whether the instruction at `rip` has bytes in the page of `gva`, its own or the next."""
        if rip >> PAGE_SHIFT == gva >> PAGE_SHIFT:
            return True
        here = PAGE_SIZE - rip % PAGE_SIZE
        return here < MAX_LENGTH and decode(self._bytes(rip, here), rip) is None

    def _found(self, rip: int, gpa: int | None) -> Line:
        raw = self._bytes(rip, MAX_LENGTH)
        found = decode(raw, rip)
        code, text = (found.code, found.text) if found else (raw, "")
        offset = None if gpa is None else self._space.offset(gpa)
        line = Line(code, text, raw, offset or 0, gpa or 0, self._space.layout)
        if offset is not None and rip % PAGE_SIZE <= PAGE_SIZE - MAX_LENGTH:
            if len(self._lines) == _REMEMBERED:
                self._lines.clear()
            self._lines[rip] = line
        return line

    def _bytes(self, gva: int, size: int) -> bytes:
        """Up to the first byte that is not there."""
        found = b""
        while len(found) < size:
            leads = self._tables.translate(self._cr3.value, gva + len(found))
            at = None if leads is None else self._space.offset(leads[0])
            if at is None:
                break
            found += self._ram.view[at : at + min(size - len(found), PAGE_SIZE - at % PAGE_SIZE)]
        return found

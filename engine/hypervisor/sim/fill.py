"""A TLB miss: guest page tables, then slots and masks, then either a page of RAM with rights or a denial.

Rights are withheld that must be asked for again: W until the page's first write is noted in the dirty log, X until
its first fetch is noted, so that stale code is found (code_pages.py).
"""

import ctypes

from engine.hypervisor.sim.code_pages import CodePages
from engine.hypervisor.sim.protections import in_ring_3
from engine.hypervisor.sim.ram import Ram
from engine.hypervisor.sim.ring import Ring
from engine.hypervisor.sim.scratch import Scratch
from engine.hypervisor.sim.screen import Screen
from engine.hypervisor.sim.space import READONLY, Space
from engine.hypervisor.sim.stop import Denied
from engine.hypervisor.sim.translate import Translator
from engine.model.address import PAGE_SHIFT, PAGE_SIZE
from engine.model.dirty import DirtyPage
from engine.model.memslot import Memslot
from engine.model.rights import Access

READ, WRITE, EXECUTE = 1, 2, 4
"""Bits of Rights and of the emulator's permissions alike."""
SCRATCH = 1 << 45
"""Emulator address of the scratch pages; RAM lies at 0, by its offsets."""
_CPL = 3
_Refused = tuple[Access, int | None, Memslot | None, int, bool]
"""Of Denied, all but the address."""
_NEEDS = {Access.READ: READ, Access.WRITE: WRITE, Access.EXECUTE: EXECUTE}
_PAGE = ~(PAGE_SIZE - 1)
_READ, _WRITE, _EXECUTE = Access.READ, Access.WRITE, Access.EXECUTE


class Fill:
    """One vCPU's software EPT, its core's Watcher.

    While `trying` one instruction, data goes to scratch. Then, and with `lookahead`, any fetch goes through: the
    emulator translates a block at a time, and may trip over a page that execution does not reach.
    """

    def __init__(self, space: Space, ram: Ram, code: CodePages, scratch: Scratch, vcpu: int) -> None:
        self._space, self._code, self._scratch, self._vcpu = space, code, scratch, vcpu
        self._past = ram.past
        self.screen = Screen(ram)
        self.tables = Translator(space, ram, code)
        self.vtl = 0
        self.rings: list[Ring] = []
        """By VTL; none while bitmaps are on."""
        self.cr3, self.mode = ctypes.c_uint64(), ctypes.c_uint32()
        """The core's own words; the lowest two bits of the mode are the privilege level."""
        self.mbec = [False] * space.vtls
        """By VTL: ring 3 executes by the right UX, not KX."""
        self.own: set[int] = set()
        """Virtual pages that the processor itself is about to use, with the rights of ring 0 (SDM Vol. 3, 5.6.1)."""
        self.trying = False
        self.lookahead = False
        self._refused: _Refused | None = None
        self._slot: Memslot | None = None
        self._layout = -1
        self._first = self._stop = self._shift = 0
        """Pages of `_slot`, and from a gpa in it to its place in RAM."""

    @property
    def user(self) -> bool:
        """The guest is in ring 3."""
        return self.mode.value & _CPL == _CPL

    @property
    def executes_by_ux(self) -> bool:
        return self.mbec[self.vtl] and self.user

    def begin(self) -> None:
        self._refused = None

    def fill(self, gva: int, access: Access, own: bool = False) -> tuple[int, int] | None:
        """(emulator address of the page, permissions); None when the access may not happen, which `refused` tells.
        `own`: it is not the guest's, but the processor's."""
        fetch = access is _EXECUTE
        user = self.mode.value & _CPL == _CPL and not (own or gva >> PAGE_SHIFT in self.own)
        leads = self.tables.translate(self.cr3.value, gva, access is _WRITE, fetch, user)
        if fetch and (self.lookahead or self.trying):
            return self._ahead(gva, None if leads is None else leads[0])
        if leads is None:
            self._refused = access, None, None, 0, False
            return None
        gpa, rights = leads
        found = self._apart(gva, gpa, access) if self.trying else self._page(gva, gpa, access, user)
        return None if found is None else (found[0], found[1] & rights)

    def refused(self, gva: int) -> Denied | None:
        return None if self._refused is None else Denied(gva, *self._refused)

    def touched(self, access: Access, at: int, size: int) -> None:
        self._scratch.touched(access, at, size)

    def _page(self, gva: int, gpa: int, access: Access, user: bool) -> tuple[int, int] | None:
        """As fill, by slots and masks; on the way the access is noted where somebody must know of it."""
        space, gfn = self._space, gpa >> PAGE_SHIFT
        if space.layout != self._layout or not self._first <= gfn < self._stop:
            self._look_up(gfn)
        slot, mask = self._slot, space.allowed(self.vtl, gfn)
        if user and self.mbec[self.vtl]:
            mask = in_ring_3(mask)
        if slot is None or not mask & _NEEDS[access]:
            self._refused = access, gpa, slot, mask, False
            return None
        offset = gpa + self._shift & _PAGE
        page = offset >> PAGE_SHIFT
        if access is _WRITE:
            read_only = slot.flags & READONLY
            if read_only or not self._noted(slot, gfn):
                self._refused = access, gpa, slot, mask, not read_only
                return None
            self._code.written(self._vcpu, page)
            if self._past.kept is not None:
                self._past.keep(page)
            self.screen.write(gva, page)
            return offset, mask & (READ | WRITE)
        if access is _EXECUTE:
            self._fetched(gva, page)
        if self.screen.holds(page) or self._hears(slot, gfn, page):
            mask &= READ | EXECUTE
        return offset, mask & (READ | WRITE | EXECUTE if self.screen.passed(gva, page) else READ | WRITE)

    def _fetched(self, gva: int, page: int) -> None:
        self.screen.fetch(gva, page, self._code.has_written(self._vcpu, page))
        self._code.fetched(self._vcpu, page)

    def _look_up(self, gfn: int) -> None:
        """Remember the slot at `gfn`, for most misses are in the same one as the last."""
        space = self._space
        self._layout, self._slot = space.layout, space.slot_at(gfn)
        self._first = self._stop = 0
        if self._slot is not None:
            slot = self._slot
            self._first, self._stop = slot.base >> PAGE_SHIFT, slot.base + slot.size >> PAGE_SHIFT
            self._shift = slot.offset - slot.base

    def _hears(self, slot: Memslot, gfn: int, page: int) -> bool:
        """Whether somebody must hear of a write to the page, so that it cannot be allowed before it happens."""
        return bool(
            slot.flags & READONLY
            or self._space.dirty.unseen(slot, gfn)
            or not self._code.may_write(self._vcpu, page)
            or self._past.wants(page)
        )

    def _apart(self, gva: int, gpa: int, access: Access) -> tuple[int, int] | None:
        at = self._scratch.page(gva, gpa)
        if at is None:
            self._refused = access, gpa, None, 0, False
            return None
        return SCRATCH + at, READ | WRITE

    def _ahead(self, gva: int, gpa: int | None) -> tuple[int, int]:
        """A page that is translated to code but not executed: anything will do where there is nothing."""
        offset = None if gpa is None else self._space.offset(gpa)
        if offset is None:
            return SCRATCH, EXECUTE
        self._fetched(gva, offset >> PAGE_SHIFT)
        return offset & _PAGE, EXECUTE

    def _noted(self, slot: Memslot, gfn: int) -> bool:
        """Note the page's first write, in this VTL's ring if rings are on; False when that is full."""
        if self.rings and self._space.dirty.unseen(slot, gfn):
            ring = self.rings[self.vtl]
            if ring.full:
                return False
            ring.push(DirtyPage(slot.slot, gfn - (slot.base >> PAGE_SHIFT)))
        self._space.dirty.mark(slot, gfn)
        return True

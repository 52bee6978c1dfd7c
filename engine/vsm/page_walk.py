"""A guest's own page tables, its overlays and the rights of its VTL: what a translation comes to."""

import msgspec

from engine.abi import x86
from engine.abi.tlfs.memory import TranslateCode
from engine.abi.tlfs.registers import RegisterName
from engine.abi.tlfs.status import HvStatus
from engine.model.address import PAGE_SHIFT
from engine.model.rights import Access, Rights
from engine.vsm.protection import effective, mbec_active, needed
from engine.vsm.view import View
from engine.x86 import paging


class Wanted(msgspec.Struct, frozen=True):
    """The access that a page is to be good for."""

    read: bool = False
    write: bool = False
    execute: bool = False
    user: bool = False
    exempt: bool = False
    """The privileges in the page tables do not count."""


class Page(msgspec.Struct, frozen=True):
    """The end of a walk; `gfn` is 0 where it did not get to a page."""

    code: TranslateCode
    gfn: int = 0
    overlay: bool = False
    entries: tuple[tuple[int, int], ...] = ()
    """(gpa of the page-table entry, its value), from the top level down."""

    def marked(self, dirty: bool) -> list[tuple[int, int]]:
        """The entries that change when accessed bits, and the page's dirty bit, are set."""
        last = len(self.entries) - 1
        found: list[tuple[int, int]] = []
        for at, (gpa, value) in enumerate(self.entries):
            new = value | paging.ACCESSED | (paging.DIRTY if dirty and at == last else 0)
            found += [(gpa, new)] if new != value else []
        return found


class _NoTable(Exception):
    """The walk reads what is not mapped, or what the VTL may not read: `code`."""

    def __init__(self, code: TranslateCode) -> None:
        self.code = code


def find_page(view: View, vp: int, vtl: int, gva_page: int, wanted: Wanted) -> Page | HvStatus:
    """INVALID_VP_STATE where the VTL's paging is none that is modelled: it is either off or has 4 levels."""
    cr0, efer, cr3 = (view.register(vp, vtl, name) for name in (RegisterName.CR0, RegisterName.EFER, RegisterName.CR3))
    if cr0 is None or efer is None or cr3 is None:
        return HvStatus.INVALID_VP_STATE
    if not cr0 & x86.CR0_PG:
        # Without paging a virtual address is a physical one, of 32 bits.
        return _arrived(view, vp, vtl, Page(TranslateCode.SUCCESS, gva_page & 0xFFFFF), wanted)
    if not efer & x86.EFER_LMA:
        return HvStatus.INVALID_VP_STATE
    try:
        found = paging.walk(lambda gpa: _entry(view, vtl, gpa), cr3, gva_page << 12)
    except _NoTable as stopped:
        return Page(stopped.code)
    if found is None:
        return Page(TranslateCode.PAGE_NOT_PRESENT)
    if not efer & x86.EFER_NXE and any(value & paging.NO_EXECUTE for _, value in found.entries):
        return Page(TranslateCode.INVALID_PAGE_TABLE_FLAGS)
    if not wanted.exempt and _violates(found, cr0, wanted):
        return Page(TranslateCode.PRIVILEGE_VIOLATION)
    return _arrived(view, vp, vtl, Page(TranslateCode.SUCCESS, found.gpa >> 12, entries=found.entries), wanted)


def _entry(view: View, vtl: int, gpa: int) -> int:
    """The walk is the VTL's own: a VTL could have any page read to it as a table, if masks did not bind that."""
    value = view.read_u64(gpa)
    if value is None:
        raise _NoTable(TranslateCode.GPA_UNMAPPED)
    if Rights.R not in effective(view, vtl, gpa >> PAGE_SHIFT):
        raise _NoTable(TranslateCode.GPA_NO_READ_ACCESS)
    return value


def _violates(found: paging.Translation, cr0: int, wanted: Wanted) -> bool:
    """SDM Vol. 3, 5.6. SMEP, SMAP and protection keys are not modelled."""
    if wanted.user and not found.user:
        return True
    if wanted.write and not found.writable and (wanted.user or cr0 & x86.CR0_WP):
        return True
    return wanted.execute and not found.executable


def _arrived(view: View, vp: int, vtl: int, page: Page, wanted: Wanted) -> Page:
    """An overlay covers what lies under it, RAM or not (TLFS, Establishing the Hypercall Interface)."""
    if page.gfn == view.partition.vtls[vtl].hypercall_page:
        code = TranslateCode.GPA_ILLEGAL_OVERLAY_ACCESS if wanted.write else TranslateCode.SUCCESS
        return msgspec.structs.replace(page, code=code, overlay=True)
    if page.gfn == view.partition.vps[vp].vtls[vtl].assist_gfn:
        return msgspec.structs.replace(page, overlay=True)
    if not view.is_ram(page.gfn):
        return Page(TranslateCode.GPA_UNMAPPED)
    return msgspec.structs.replace(page, code=_allowed(view, vp, vtl, page.gfn, wanted))


def _allowed(view: View, vp: int, vtl: int, gfn: int, wanted: Wanted) -> TranslateCode:
    """TLFS has codes for reads and writes; a fetch that a VTL denies is an intercept."""
    rights = effective(view, vtl, gfn)
    if wanted.read and Rights.R not in rights:
        return TranslateCode.GPA_NO_READ_ACCESS
    if wanted.write and Rights.W not in rights:
        return TranslateCode.GPA_NO_WRITE_ACCESS
    if wanted.execute and needed(Access.EXECUTE, wanted.user, mbec_active(view, vp, vtl)) not in rights:
        return TranslateCode.INTERCEPT
    return TranslateCode.SUCCESS

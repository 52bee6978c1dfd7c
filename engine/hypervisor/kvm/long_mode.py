"""Putting a vCPU into 64-bit long mode, ring 0, flat segments, by KVM_SET_SREGS."""

from engine.abi import x86
from engine.abi.kvm import Segment, Sregs
from engine.model.layout import DESCRIPTORS

_CR0 = x86.CR0_PE | x86.CR0_MP | x86.CR0_ET | x86.CR0_NE | x86.CR0_WP | x86.CR0_AM | x86.CR0_PG
_CR4 = x86.CR4_PAE | x86.CR4_OSFXSR | x86.CR4_OSXMMEXCPT


def enter_long_mode(sregs: Sregs, cr3: int, no_execute: bool) -> None:
    """Fill `sregs`; there is no IDT, so any exception is a triple fault until the guest loads one."""
    sregs.cr0, sregs.cr3, sregs.cr4 = _CR0, cr3, _CR4
    sregs.efer = x86.EFER_LME | x86.EFER_LMA | (x86.EFER_NXE if no_execute else 0)
    sregs.cs = _segment(x86.CODE_SELECTOR, x86.SEGMENT_CODE, long=1)
    for name in ("ds", "es", "fs", "gs", "ss"):
        setattr(sregs, name, _segment(x86.DATA_SELECTOR, x86.SEGMENT_DATA, long=0))
    # kvm_amd gives a vCPU a TSS of 16 bits at reset, which is no TSS in long mode.
    sregs.tr = Segment(limit=x86.RESET_LIMIT, type=x86.SEGMENT_TSS, present=1)
    sregs.gdt.base, sregs.gdt.limit, sregs.idt.limit = DESCRIPTORS, x86.GDT_LIMIT, 0


def _segment(selector: int, type: int, long: int) -> Segment:
    made = Segment(limit=x86.SEGMENT_LIMIT, selector=selector, type=type)
    made.present = made.s = made.g = 1
    made.l, made.db = long, 1 - long
    return made

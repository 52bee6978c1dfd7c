"""What a processor has beside its general registers: control registers, segments, tables and the MSRs of long mode."""

import msgspec

from engine.abi import x86

SEGMENTS = ("cs", "ds", "es", "fs", "gs", "ss", "tr", "ldtr")
TABLES = ("idtr", "gdtr")
MSRS = {
    "pat": x86.MSR_PAT,
    "kernel_gs_base": x86.MSR_KERNEL_GS_BASE,
    "star": x86.MSR_STAR,
    "lstar": x86.MSR_LSTAR,
    "cstar": x86.MSR_CSTAR,
    "sfmask": x86.MSR_SFMASK,
    "sysenter_cs": x86.MSR_SYSENTER_CS,
    "sysenter_eip": x86.MSR_SYSENTER_EIP,
    "sysenter_esp": x86.MSR_SYSENTER_ESP,
}
"""Index of each of the fields that are model-specific registers; EFER goes with the control registers."""
XMM_SIZE = 16 * 16
"""Bytes of XMM0 to XMM15."""


class Segment(msgspec.Struct, frozen=True, gc=False):
    """`attributes` as in bits 55:40 of a descriptor: type 3:0, S 4, DPL 6:5, present 7, AVL 12, L 13, D/B 14, G 15.
    `limit` is in bytes. A null segment is not present."""

    base: int = 0
    limit: int = 0
    selector: int = 0
    attributes: int = 0

    @property
    def present(self) -> bool:
        return bool(self.attributes >> 7 & 1)

    @property
    def dpl(self) -> int:
        return self.attributes >> 5 & 3


class TableRegister(msgspec.Struct, frozen=True, gc=False):
    """IDTR or GDTR; `limit` is the offset of the last byte."""

    base: int = 0
    limit: int = 0


class SystemRegisters(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Each VTL of a vCPU has its own (TLFS, Private State); 64 bits where nothing else is said."""

    cr0: int = 0
    cr3: int = 0
    cr4: int = 0
    cr8: int = 0
    """The task priority."""
    efer: int = 0
    cs: Segment = Segment()
    ds: Segment = Segment()
    es: Segment = Segment()
    fs: Segment = Segment()
    gs: Segment = Segment()
    ss: Segment = Segment()
    tr: Segment = Segment()
    ldtr: Segment = Segment()
    idtr: TableRegister = TableRegister()
    gdtr: TableRegister = TableRegister()
    pat: int = 0
    kernel_gs_base: int = 0
    star: int = 0
    lstar: int = 0
    cstar: int = 0
    sfmask: int = 0
    sysenter_cs: int = 0
    sysenter_eip: int = 0
    sysenter_esp: int = 0

    @property
    def cpl(self) -> int:
        """SS.DPL is the privilege level (SDM Vol. 3, 6.5)."""
        return self.ss.dpl

"""Guests in assembly that enable VTL1 and let it fence pages: the data that their hypercalls need, and the calls."""

import re

from engine.abi.tlfs.interface import PARTITION_ID_SELF, VP_INDEX_SELF
from engine.model.layout import PAGE_DIRECTORIES

STATUSES = 0x200000
"""Where the guest stores the result of each call, in order; R15 points to the next."""
INPUT = 0x204000
VTL1_STACK = 0x206000
ASSIST, MESSAGES = 0x208000, 0x209000
"""VTL1's VP assist page and message page."""
IDT = 0x20A000
PAGE = 0x210000
TABLES = 0x211000

_PROLOGUE = f"mov r15, {STATUSES:#x}"


def put(gpa: int, *words: int) -> str:
    """Stores 64-bit words."""
    return "\n".join(f"mov rax, {word:#x}\nmov rbx, {gpa + 8 * n:#x}\nmov [rbx], rax" for n, word in enumerate(words))


def call(rcx: int, rdx: int = INPUT, r8: int = 0, page: int = 0x7000) -> str:
    """Through a hypercall page; keeps the result."""
    return f"""
        mov rcx, {rcx:#x}
        mov rdx, {rdx:#x}
        mov r8, {r8:#x}
        mov rax, {page:#x}
        call rax
        mov [r15], rax
        add r15, 8"""


def switch(offset: int, rcx: int = 0) -> str:
    return f"mov rcx, {rcx:#x}\nmov rax, {0x7000 + offset:#x}\ncall rax"


VTL_CALL, VTL_RETURN = switch(0x10), switch(0x20, 1)
_CODE, _DATA, _TSS = 0xA09B_0008_FFFF_FFFF, 0xC093_0010_FFFF_FFFF, 0x8B_0000_0000_FFFF
"""Limit, selector and attributes of a segment."""
CONTEXT = {
    "rsp": VTL1_STACK, "rflags": 2,
    "cs_base": 0, "cs": _CODE, "ds_base": 0, "ds": _DATA, "es_base": 0, "es": _DATA, "fs_base": 0, "fs": _DATA,
    "gs_base": 0, "gs": _DATA, "ss_base": 0, "ss": _DATA, "tr_base": 0, "tr": _TSS, "ldtr_base": 0, "ldtr": 0,
    "idtr_limit": 0, "idtr": 0, "gdtr_limit": 23 << 48, "gdtr": 0,
    "efer": 0xD00, "cr0": 0x8005_0033, "cr3": 0x1000, "cr4": 0x620, "pat": 0x0007_0406_0007_0406,
}  # fmt: skip
"""HV_INITIAL_VP_CONTEXT behind RIP, in its order, 64 bits each."""
ENABLE_PARTITION_VTL = call(0x1_000D, PARTITION_ID_SELF, 1)
"""Fast: TargetVtl and flags in R8."""


def enable_vp_vtl(label: str = "vtl1", **changes: int) -> str:
    """VTL1 begins at a label, with its own stack, in the guest's long mode; `changes` by the names in CONTEXT."""
    return with_context(0x0F, label, **changes)


def with_context(code: int, rip: str, vp: int = 0, vtl: int = 1, **changes: int) -> str:
    """EnableVpVtl or StartVirtualProcessor. `rip`: a label, a number, or the register that has it."""
    stores = put(INPUT, PARTITION_ID_SELF, vtl << 32 | vp, 0, *(CONTEXT | changes).values())
    return "\n".join([stores, f"mov rax, {rip}\nmov rbx, {INPUT + 16:#x}\nmov [rbx], rax", call(code)])


def enabled(**context: int) -> tuple[str, str]:
    return ENABLE_PARTITION_VTL, enable_vp_vtl(**context)


SETUP = enabled()
ENABLE_MBEC = call(0x1_000D, PARTITION_ID_SELF, 0x101)
"""EnablePartitionVtl of VTL1, with flag EnableMbec."""
SECURE_CONFIG = 0xD0010
"""VsmVpSecureConfigVtl0."""
VTL2_STACK = 0x207000
ENABLE_VTL2 = call(0x1_000D, PARTITION_ID_SELF, 2)
SETUP_VTL2 = (ENABLE_VTL2, with_context(0x0F, "vtl2", vtl=2, rsp=VTL2_STACK))
"""By VTL1; it begins at the label vtl2."""
STORE = put(PAGE, 0x1234)


def tables(at: int = TABLES) -> str:
    """Page tables as the guest's own, in which the second GiB leads to the first one too."""
    return "\n".join([put(at, at + 0x1003), put(at + 0x1000, PAGE_DIRECTORIES | 3, PAGE_DIRECTORIES | 3)])


def protect(config: int = 0x3F) -> str:
    """SetVpRegisters of VsmPartitionConfig: protection on, default mask RWX."""
    return put(INPUT, PARTITION_ID_SELF, VP_INDEX_SELF, 0xD0007, 0, config, 0) + call(0x1_0000_0051)


def fence(rights: int, *gfns: int, vtl: int = 0) -> str:
    """ModifyVtlProtectionMask of VTL0, or of another."""
    words = [PARTITION_ID_SELF, rights | (0x10 | vtl) << 32, *gfns]
    return put(INPUT, *words) + call(len(gfns) << 32 | 0x0C)


def get_register(name: int, output: int, vtl: int = 0) -> str:
    return put(INPUT, PARTITION_ID_SELF, vtl << 32 | VP_INDEX_SELF, name) + call(0x1_0000_0050, r8=output)


def set_register(name: int, value: int, vtl: int = 0x11) -> str:
    """SetVpRegisters of one register of the calling processor; by default of VTL1."""
    words = (value & 2**64 - 1, value >> 64)
    return put(INPUT, PARTITION_ID_SELF, vtl << 32 | VP_INDEX_SELF, name, 0, *words) + call(0x1_0000_0051)


WITH_PAGES = (set_register(0x90013, ASSIST | 1), set_register(0xA0010, 1), set_register(0xA0013, MESSAGES | 1))
"""VpAssistPage, SCONTROL and SIMP."""


def leaf(number: int, to: int) -> str:
    """Stores EAX, EBX, ECX and EDX of a CPUID leaf."""
    return f"""
        mov eax, {number:#x}
        xor ecx, ecx
        cpuid
        mov rdi, {to:#x}
        mov [rdi], eax
        mov [rdi + 4], ebx
        mov [rdi + 8], ecx
        mov [rdi + 12], edx"""


def wrmsr(msr: int, value: int) -> str:
    return f"mov ecx, {msr:#x}\nmov eax, {value & 0xFFFF_FFFF:#x}\nmov edx, {value >> 32:#x}\nwrmsr"


def rdmsr(msr: int, to: int) -> str:
    return f"mov ecx, {msr:#x}\nrdmsr\nmov rdi, {to:#x}\nmov [rdi], eax\nmov [rdi + 4], edx"


def of_another(asm: str) -> str:
    """The same for another vCPU: its data is 0x20000 further up, but for PAGE and what lies beyond."""
    return re.sub(r"\b0x20([0-9a-f]{4})\b", r"0x22\1", asm)


def guest(*vtl0: str, vtl1: tuple[str, ...] = ()) -> str:
    """VTL0's code, and VTL1's at its label."""
    return "\n".join([_PROLOGUE, *vtl0, "hlt", "vtl1:", *vtl1, "hlt"])


def idt(*gates: tuple[int, str], table: int = IDT) -> str:
    """Gates of an IDT in a page of its own, each (vector, label of its handler), and LIDT."""
    limit = 16 * (max(vector for vector, _ in gates) + 1) - 1
    lines = [_gate(table + 16 * vector, label) for vector, label in gates]
    pointer = f"mov rbx, {table + 0xFF0:#x}\nmov word ptr [rbx], {limit:#x}\nmov rax, {table:#x}\nmov [rbx + 2], rax"
    return "\n".join([*lines, pointer, "lidt [rbx]"])


def _gate(at: int, label: str) -> str:
    """A 64-bit interrupt gate (SDM Vol. 3, 6.14.1)."""
    return f"""
        mov rax, {label}
        mov rbx, {at:#x}
        mov [rbx], rax
        mov word ptr [rbx + 2], 8
        mov word ptr [rbx + 4], 0x8e00
        shr rax, 16
        mov [rbx + 6], ax
        shr rax, 16
        mov [rbx + 8], rax"""


def interrupt(vector: int, vtl: int, processors: int = 1) -> str:
    """SendSyntheticClusterIpi, fast, for a VTL of these processors."""
    return call(0x1_000B, vector | (0x10 | vtl) << 32, processors)

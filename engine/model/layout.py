"""The system area: where page tables, stacks and code of every guest are. Documented in docs/guest.md.

One identity map of the low 4 GiB in 2 MiB pages, with accessed and dirty bits set beforehand, so that a page walk
writes nothing and the system area stays clean unless the guest itself writes there.
"""

from engine.model.address import PageRange

DESCRIPTORS = 0x00000
PML4 = 0x01000
PDPT = 0x02000
PAGE_DIRECTORIES = 0x03000
HYPERCALL_PAGE = 0x07000
STACKS = 0x08000
STACK_SIZE = 0x1000
CODE = 0x10000
CODE_SIZE = 0x2000
MAX_VCPUS = 8
MOST_VTLS = 16
"""VTL0 to VTL15 (TLFS, Virtual Trust Levels)."""
SYSTEM_SIZE = 0x20000
SYSTEM_AREA = PageRange.of(0, SYSTEM_SIZE)

MAX_RAM = 4 << 30
"""1,048,576 pages: what the identity map covers."""

HYPERCALL_PORT = 0xE8
"""The port behind the hypercall page (not VMCALL: on some hosts KVM_RUN never returns from it)."""
VTL_CALL_PORT = 0xE9
VTL_RETURN_PORT = 0xEA
VTL_CALL_OFFSET = 0x10
"""In the hypercall page, where HvRegisterVsmCodePageOffsets says that the VTL call sequence is."""
VTL_RETURN_OFFSET = 0x20


def code_base(vcpu: int) -> int:
    """gpa where vCPU `vcpu` starts executing."""
    return CODE + vcpu * CODE_SIZE


def stack_top(vcpu: int) -> int:
    """Initial RSP: the end of the vCPU's stack page."""
    return STACKS + (vcpu + 1) * STACK_SIZE

"""The hypercall page: the VMM fills it (TLFS, Hypercall Interface), so it holds what this VMM understands.

VMCALL must not be relied on (on some hosts KVM_RUN never returns from it, measured), so a call is an OUT.
"""

from engine.model.address import PAGE_SIZE
from engine.model.layout import (
    HYPERCALL_PAGE,
    HYPERCALL_PORT,
    VTL_CALL_OFFSET,
    VTL_CALL_PORT,
    VTL_RETURN_OFFSET,
    VTL_RETURN_PORT,
)
from engine.x86.assemble import assemble

_INT3 = b"\xcc"
_SEQUENCES = ((0, HYPERCALL_PORT), (VTL_CALL_OFFSET, VTL_CALL_PORT), (VTL_RETURN_OFFSET, VTL_RETURN_PORT))


def page_bytes() -> bytes:
    """The whole page: `out port, eax; ret` for a hypercall, a VTL call and a VTL return; else INT3, so that a stray
    jump does not run on."""
    page = b""
    for offset, port in _SEQUENCES:
        code = assemble(f"out {port:#x}, eax\nret", HYPERCALL_PAGE + offset).code
        page = page.ljust(offset, _INT3) + code
    return page.ljust(PAGE_SIZE, _INT3)

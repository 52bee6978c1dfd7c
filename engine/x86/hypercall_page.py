"""The hypercall page: the VMM fills it (TLFS, Hypercall Interface), so it holds what this VMM understands.

VMCALL must not be relied on (on some hosts KVM_RUN never returns from it, measured), so a call is an OUT.
"""

from engine.model.address import PAGE_SIZE
from engine.model.layout import HYPERCALL_PAGE, HYPERCALL_PORT
from engine.x86.assemble import assemble

_INT3 = b"\xcc"


def page_bytes() -> bytes:
    """The whole page: `out port, eax; ret`, then INT3 so that a stray jump does not run on."""
    code = assemble(f"out {HYPERCALL_PORT:#x}, eax\nret", HYPERCALL_PAGE).code
    return code.ljust(PAGE_SIZE, _INT3)

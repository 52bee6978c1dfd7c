"""Exceptions by number, and which of them a VMM may have a guest take, the same on every host (SDM Vol. 3, 6.15)."""

import errno

from engine.hypervisor.contract.errors import HypervisorError
from engine.model.resolution import Inject

DIVIDE_ERROR, DEBUG, NMI = 0, 1, 2
INVALID_OPCODE, DOUBLE_FAULT = 6, 8
INVALID_TSS, NOT_PRESENT, STACK_FAULT, GENERAL_PROTECTION, PAGE_FAULT = range(10, 15)
WITH_ERROR_CODE = frozenset({8, 10, 11, 12, 13, 14, 17, 21, 29, 30})
"""#DF #TS #NP #SS #GP #PF #AC #CP #VC #SX."""

FAULTS = frozenset({0, 5, 6, 7, 8, 10, 11, 12, 13, 14, 16, 17, 19})
"""These push RF set, so that a breakpoint on the instruction does not stop it again; #DF too, as on KVM."""


EXTERNAL = range(16, 256)
"""Vectors that a local APIC takes (SDM Vol. 3, 11.5.2)."""


def require_external(vector: int) -> None:
    """EINVAL for a vector that no interrupt has."""
    if vector not in EXTERNAL:
        raise HypervisorError(errno.EINVAL, "interrupt", "vector", vector, "an interrupt: 16 to 255")


def require_exception(event: Inject, call: str) -> None:
    """EINVAL: no vector from 0 to 31, NMI, or an error code that does not go with the vector."""
    if not 0 <= event.vector < 32 or event.vector == NMI:
        raise HypervisorError(errno.EINVAL, call, "vector", event.vector, "an exception: 0 to 31, not 2 (NMI)")
    if (event.error_code is not None) != (event.vector in WITH_ERROR_CODE):
        rule = "needs an error code" if event.error_code is None else "pushes no error code"
        raise HypervisorError(errno.EINVAL, call, "error_code", event.error_code, f"vector {event.vector} {rule}")
    if event.error_code is not None and not 0 <= event.error_code < 1 << 32:
        raise HypervisorError(errno.EINVAL, call, "error_code", event.error_code, "32 bits")
    if event.address is not None and not 0 <= event.address < 1 << 64:
        raise HypervisorError(errno.EINVAL, call, "address", event.address, "64 bits")

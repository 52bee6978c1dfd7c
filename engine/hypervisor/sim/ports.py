"""Which ports a guest may use: all in ring 0, in ring 3 those that its TSS opens (SDM Vol. 1, 19.5.2).

The engine does not look."""

from engine.abi.x86 import RFLAGS_IOPL_SHIFT
from engine.hypervisor.contract.vectors import GENERAL_PROTECTION
from engine.hypervisor.sim.deliver import Event, FaultError, Reader, Table
from engine.hypervisor.sim.linear import UnreachableError
from engine.hypervisor.sim.stop import PortAccess

_BASE = 0x66
"""Offset in the TSS of the bitmap's own offset."""
_REFUSED = Event(GENERAL_PROTECTION, 0)


def refusal(access: PortAccess, ring: int, tss: Table, read: Reader) -> Event | None:
    """The exception that takes its place; None: it may happen. A TSS that cannot be read allows nothing."""
    if ring <= access.before.rflags >> RFLAGS_IOPL_SHIFT & 3:
        return None
    try:
        return None if _is_open(access, tss, read) else _REFUSED
    except FaultError as fault:
        return fault.event
    except UnreachableError:
        return _REFUSED


def _is_open(access: PortAccess, tss: Table, read: Reader) -> bool:
    if tss.limit < _BASE + 1:
        return False
    at = int.from_bytes(read(tss.base + _BASE, 2), "little") + access.port // 8
    # Two bytes are read, whatever the port: both must be there.
    if at + 1 > tss.limit:
        return False
    bits = int.from_bytes(read(tss.base + at, 2), "little") >> access.port % 8
    return not bits & (1 << access.size) - 1

"""Where the two may differ: rows of docs/differences.md, by number, and nothing else."""

from engine.hypervisor.contract.capabilities import Capabilities
from engine.model.rights import Access
from engine.x86.paging import identity_tables
from tests.engine.hypervisor.differential.program import Run
from tests.engine.hypervisor.guest import Guest


def forgive(simulated: Run, real: Run, capabilities: Capabilities) -> None:
    """Take out of `simulated` what KVM by nature does not tell."""
    _row_4(simulated, real, capabilities)


def row_37(*guests: Guest) -> bool:
    """Whether a guest has changed its page tables and not flushed: none of those drawn flushes."""
    return any(
        guest.memory.read(gpa, len(table)) != table for guest in guests for gpa, table in identity_tables().items()
    )


def _row_4(simulated: Run, real: Run, capabilities: Capabilities) -> None:
    """A store's value, of a locked read-modify-write or when the fetch was denied as well."""
    if capabilities.denies_whole or len(simulated.facts) != len(real.facts):
        return
    for at, (mine, its) in enumerate(zip(simulated.facts, real.facts, strict=True)):
        if mine != its and mine[:-1] == its[:-1] and its[-1] is None and Access.WRITE in its:
            simulated.facts[at] = its

"""What a guest is told of an access that its own tables refuse (SDM Vol. 3, 5.7)."""

from engine.hypervisor.contract.vectors import PAGE_FAULT
from engine.hypervisor.sim.deliver import Event
from engine.hypervisor.sim.translate import Translator
from engine.model.rights import Access

_PRESENT, _WRITE, _USER, _FETCH = 1, 2, 4, 0x10


def page_fault(tables: Translator, cr3: int, gva: int, access: Access, user: bool = False) -> Event:
    """#PF at `gva`, with its error code; a fetch is told as such because EFER.NXE is set. `user`: of ring 3's own."""
    code = _PRESENT if tables.translate(cr3, gva) is not None else 0
    code |= _USER if user else 0
    code |= {Access.READ: 0, Access.WRITE: _WRITE, Access.EXECUTE: _FETCH}[access]
    return Event(PAGE_FAULT, code, gva)

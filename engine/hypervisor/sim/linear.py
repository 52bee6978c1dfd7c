"""Linear memory as the processor itself uses it to deliver an exception: tables, slots and masks bind it."""

from collections.abc import Iterator

from engine.hypervisor.contract.vectors import STACK_FAULT
from engine.hypervisor.sim.code_pages import CodePages
from engine.hypervisor.sim.deliver import Event, FaultError, canonical
from engine.hypervisor.sim.fill import Fill
from engine.hypervisor.sim.page_fault import page_fault
from engine.hypervisor.sim.ram import Ram
from engine.hypervisor.sim.stop import Denied
from engine.model.address import PAGE_SHIFT, PAGE_SIZE
from engine.model.rights import Access


class UnreachableError(Exception):
    """The access would have to leave the guest, which nothing can do in the middle of a delivery."""

    def __init__(self, denied: Denied) -> None:
        super().__init__(denied)
        self.denied = denied


class Linear:
    """One vCPU's view, with the rights of ring 0."""

    def __init__(self, fill: Fill, ram: Ram, code: CodePages) -> None:
        self._fill, self._ram, self._code = fill, ram, code

    def read(self, gva: int, size: int) -> bytes:
        """FaultError, UnreachableError."""
        spans = self._spans(gva, size, Access.READ)
        return b"".join(self._ram.view[at : at + count] for at, count in spans)

    def write(self, gva: int, data: bytes) -> None:
        """All or nothing; FaultError, UnreachableError. The pages are dirty as by any store of the vCPU."""
        done = 0
        for at, count in list(self._spans(gva, len(data), Access.WRITE)):
            self._ram.view[at : at + count] = data[done : done + count]
            self._code.host_wrote(at >> PAGE_SHIFT)
            done += count

    def _spans(self, gva: int, size: int, access: Access) -> Iterator[tuple[int, int]]:
        while size:
            if not canonical(gva):
                raise FaultError(Event(STACK_FAULT, 0))
            count = min(size, PAGE_SIZE - gva % PAGE_SIZE)
            found = self._fill.fill(gva, access, own=True)
            if found is None:
                raise self._refused(gva)
            yield found[0] + gva % PAGE_SIZE, count
            gva, size = gva + count, size - count

    def _refused(self, gva: int) -> Exception:
        denied = self._fill.refused(gva)
        assert denied is not None
        if denied.gpa is None:
            return FaultError(page_fault(self._fill.tables, self._fill.cr3.value, gva, denied.access))
        return UnreachableError(denied)

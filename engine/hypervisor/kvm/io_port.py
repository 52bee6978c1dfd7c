"""KVM_EXIT_IO made typed. The busiest exit: what an address holds is looked up once and then only compared."""

from engine.hypervisor.kvm import origin
from engine.hypervisor.kvm.address_space import AddressSpace
from engine.hypervisor.kvm.origin import Origin
from engine.hypervisor.kvm.pending import Io
from engine.hypervisor.kvm.probe import Behaviour
from engine.hypervisor.kvm.run_page import RIP
from engine.hypervisor.kvm.space import GuestSpace
from engine.hypervisor.kvm.vcpu_fd import VcpuFd
from engine.model.exits import IoExit

_WORD = 4
_OFFSET = 5
REMEMBERED = 1024


class IoReader:
    """Reads the exits of vCPU `index`."""

    def __init__(self, space: GuestSpace, behaviour: Behaviour, index: int) -> None:
        self._space, self._behaviour, self._index = space, behaviour, index
        self._known: dict[tuple[int, int], tuple[Origin, int, int]] = {}

    def read(self, fd: VcpuFd, entry: int, vtl: int) -> Io:
        """`entry`: an address where some instruction begins, for finding the one before RIP."""
        page = fd.page
        # direction u8, size u8, port u16, count u32 in one word, data_offset in the next (struct kvm_run.io).
        word, at, rip = page.u64[_WORD], page.u64[_OFFSET], page.u64[RIP]
        size, port = word >> 8 & 0xFF, word >> 16 & 0xFFFF
        total = size * (word >> 32)
        outgoing = word & 1
        found = self._origin(fd, entry, rip, size if outgoing else 0)
        data = bytes(page.u8[at : at + total]) if outgoing else None
        exit = IoExit(vcpu=self._index, vtl=vtl, rip=found.rip, code=found.code, port=port, size=size, data=data)
        return Io(found, total, not outgoing, exit)

    def _origin(self, fd: VcpuFd, entry: int, rip: int, size: int) -> Origin:
        known = self._known.get((rip, size))
        if known is not None:
            found, start, stop = known
            if bytes(self._space.ram.view[start:stop]) == found.code:
                return found
        return self._learn(fd, entry, rip, size)

    def _learn(self, fd: VcpuFd, entry: int, rip: int, size: int) -> Origin:
        addresses = AddressSpace(self._space, fd.sregs().cr3)
        past = size and self._behaviour.out_past
        found = origin.of_out(addresses, entry, rip, size) if past else origin.at_rip(addresses, rip)
        gpa = addresses.gpa(found.rip)
        pieces = self._space.slots.pieces(gpa, len(found.code)) if gpa is not None and found.code else None
        if pieces and len(pieces) == 1:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[rip, size] = (found, pieces[0][1], pieces[0][1] + len(found.code))
        return found

    def forget(self) -> None:
        """Addresses mean something else now."""
        self._known.clear()

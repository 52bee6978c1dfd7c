"""KVM_EXIT_IO made typed."""

from engine.hypervisor.kvm import origin
from engine.hypervisor.kvm.address_space import AddressSpace
from engine.hypervisor.kvm.known_code import Key, KnownCode
from engine.hypervisor.kvm.origin import Origin
from engine.hypervisor.kvm.pending import Io
from engine.hypervisor.kvm.run_page import CR3, RIP, RunPage
from engine.hypervisor.kvm.space import GuestSpace
from engine.model.exits import IoExit

_WORD = 4
_OFFSET = 5
_RAW = ("KVM_EXIT_IO in", "KVM_EXIT_IO out")


class IoReader:
    """Reads the exits of vCPU `index`. The busiest exit of all, so it looks up no more than it must."""

    def __init__(self, space: GuestSpace, known: KnownCode, out_past: bool, index: int) -> None:
        self._space, self._known, self._out_past, self._index = space, known, out_past, index

    def read(self, page: RunPage, entry: int, vtl: int) -> Io:
        """`entry`: an address where some instruction begins, for finding the one before RIP."""
        words = page.u64
        # direction u8, size u8, port u16, count u32 in one word, data_offset in the next (struct kvm_run.io).
        word, at = words[_WORD], words[_OFFSET]
        size, outgoing = word >> 8 & 0xFF, word & 1
        total = size * (word >> 32)
        # Less than none, for a repeated store may leave RIP where an OUT of its size does.
        key = (words[CR3], words[RIP], -size if outgoing and self._out_past else 0)
        found = self._known.get(key) or self._learn(key, entry)
        exit = IoExit(
            vcpu=self._index,
            vtl=vtl,
            rip=found.rip,
            code=found.code,
            text=found.text,
            raw=_RAW[outgoing],
            port=word >> 16 & 0xFFFF,
            size=size,
            data=page.map[at : at + total] if outgoing else None,
        )
        return Io(found, total, not outgoing, exit)

    def _learn(self, key: Key, entry: int) -> Origin:
        cr3, rip, size = key
        addresses = AddressSpace(self._space, cr3)
        found = origin.of_out(addresses, entry, rip, -size) if size else origin.at_rip(addresses, rip)
        return self._known.put(key, found, addresses)

"""Which instruction an exit at a given RIP comes from, looked up once and afterwards only compared with memory."""

from engine.hypervisor.kvm.address_space import AddressSpace
from engine.hypervisor.kvm.origin import Origin
from engine.hypervisor.kvm.space import GuestSpace
from engine.model.address import PAGE_SIZE

REMEMBERED = 1024

Key = tuple[int, int, int]
"""cr3, RIP at the exit, bytes stored, or as a negative number sent out (0: RIP is still at the instruction, as it is
for a load or IN)."""


class KnownCode:
    """Origins by Key, each good as long as the same bytes are at the same gpa."""

    def __init__(self, space: GuestSpace) -> None:
        self._space = space
        self._known: dict[Key, tuple[Origin, int]] = {}

    def get(self, key: Key) -> Origin | None:
        known = self._known.get(key)
        if known is None:
            return None
        found, gpa = known
        slot = self._space.slots.at(gpa)
        if slot is None:
            return None
        at = slot.offset + gpa - slot.base
        return found if bytes(self._space.ram.view[at : at + len(found.code)]) == found.code else None

    def put(self, key: Key, found: Origin, addresses: AddressSpace) -> Origin:
        """Remember `found`, unless its bytes are in two pages or are not known; returns it."""
        gpa = addresses.gpa(found.rip) if found.code else None
        if gpa is not None and gpa % PAGE_SIZE + len(found.code) <= PAGE_SIZE:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[key] = (found, gpa)
        return found

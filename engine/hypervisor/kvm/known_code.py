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
        self._ram, self._slots, self._changes = space.ram.map, space.slots, space.changes
        self._known: dict[Key, tuple[Origin, int, int, int]] = {}
        """With each its gpa, its place in RAM, and the last change that this place was looked up after."""

    def get(self, key: Key) -> Origin | None:
        known = self._known.get(key)
        if known is None:
            return None
        found, gpa, at, serial = known
        if serial != self._changes.serial:
            return self._look_up(key, found, gpa)
        code = found.code
        return found if self._ram[at : at + len(code)] == code else None

    def put(self, key: Key, found: Origin, addresses: AddressSpace) -> Origin:
        """Remember `found`, unless its bytes are in two pages or are not known; returns it."""
        gpa = addresses.gpa(found.rip) if found.code else None
        if gpa is not None and gpa % PAGE_SIZE + len(found.code) <= PAGE_SIZE:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._look_up(key, found, gpa)
        return found

    def _look_up(self, key: Key, found: Origin, gpa: int) -> Origin | None:
        """Where `gpa` is in RAM now; None for the void, or where other bytes are there."""
        serial = self._changes.serial  # before the slots: what changes meanwhile is looked up again
        slot = self._slots.at(gpa)
        if slot is None:
            return None
        at = slot.offset + gpa - slot.base
        self._known[key] = (found, gpa, at, serial)
        return found if self._ram[at : at + len(found.code)] == found.code else None

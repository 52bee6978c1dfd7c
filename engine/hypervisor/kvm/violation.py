"""KVM's raw shapes of a denied access, read into Denied values."""

import struct
from collections.abc import Callable

from engine.abi import kvm
from engine.hypervisor.kvm import origin
from engine.hypervisor.kvm.address_space import AddressSpace
from engine.hypervisor.kvm.known_code import Key, KnownCode
from engine.hypervisor.kvm.origin import Origin
from engine.hypervisor.kvm.pending import LOAD, STORE, WHOLE, Denied
from engine.hypervisor.kvm.run_page import CR3, RIP, RunPage
from engine.hypervisor.kvm.space import GuestSpace, Verdict
from engine.model.address import PAGE_SIZE
from engine.model.registers import Registers
from engine.model.rights import Access
from engine.x86.operands import memory_operands

_MMIO = struct.Struct("<Q8sIB")
_LOADED = {size: f"KVM_EXIT_MMIO read len {size}" for size in range(9)}
_STORED = {size: f"KVM_EXIT_MMIO write len {size}" for size in range(9)}
_READ, _WRITE = Access.READ, Access.WRITE
Judge = Callable[[Denied], Verdict]


def mmio(page: RunPage, space: GuestSpace, known: KnownCode, entry: int) -> Denied:
    """KVM_EXIT_MMIO: a load waiting for bytes, or a store that is over. `entry`: where some instruction begins."""
    gpa, data, size, is_write = _MMIO.unpack_from(page.u8, kvm.RUN_MMIO_PHYS_ADDR)
    key = (page.u64[CR3], page.u64[RIP], size if is_write else 0)
    found = known.get(key)
    if not is_write:
        found, raw = found or _learn_load(space, known, key), _LOADED[size]
        gva = _gva(page, space, found, (gpa, size, _READ))
        return Denied(LOAD, found, gpa, _READ, size, None, raw, gva)
    found = found or _learn_store(space, known, key, entry, origin.Store(gpa, data[:size], page.registers()))
    gva, raw = _gva(page, space, found, (gpa, size, _WRITE)), _STORED[size]
    return Denied(STORE, found, gpa, _WRITE, size, data[:size], raw, gva)


def _gva(page: RunPage, space: GuestSpace, found: Origin, what: tuple[int, int, Access]) -> int | None:
    """The page tables are walked only where two of the instruction's addresses would do."""
    gvas = found.gvas(*what, page.general)
    if len(gvas) > 1:
        addresses = AddressSpace(space, page.u64[CR3])
        gvas = [gva for gva in gvas if addresses.gpa(gva) == what[0]]
    return gvas[0] if gvas else None


def _learn_load(space: GuestSpace, known: KnownCode, key: Key) -> Origin:
    addresses = AddressSpace(space, key[0])
    return known.put(key, origin.at_rip(addresses, key[1]), addresses)


def _learn_store(space: GuestSpace, known: KnownCode, key: Key, entry: int, store: origin.Store) -> Origin:
    addresses = AddressSpace(space, key[0])
    found = origin.of_store(addresses, entry, store)
    # A call is known by the bytes it stored, not by where RIP went: other calls may go there too.
    return found if found.rip + len(found.code) != key[1] else known.put(key, found, addresses)


class Failure:
    """An EFAULT or emulation failure: nothing of the instruction at RIP has happened, and why must be found out."""

    def __init__(self, page: RunPage, raw: str, facts: dict[str, int], data: tuple[Access, ...]) -> None:
        self.raw, self.facts, self._data = raw, facts, data
        self._registers = page.registers()

    def denied(self, space: AddressSpace, judge: Judge) -> list[Denied] | None:
        """The fences the instruction meets: its fetch, then its loads, then its stores. None: fetched from the void."""
        fetched = [(fetch, judge(fetch)) for fetch in _fetches(space, self._registers, self.raw)]
        if not fetched or any(verdict is Verdict.VOID for _, verdict in fetched):
            return None
        found = [fetch for fetch, verdict in fetched if verdict is Verdict.PROTECTION]
        # When only data is at fault, `data` says which of it has not been asked for by an exit of its own.
        kinds = (Access.READ, Access.WRITE) if found else self._data
        wanted = _accesses(space, self._registers, self.raw, kinds)
        return found + [access for access in wanted if judge(access) is Verdict.PROTECTION]

    def is_trapped(self, space: AddressSpace, traps: Callable[[Denied], bool]) -> bool:
        """Whether the instruction loads from a page whose loads the host lets no vCPU do by itself."""
        return any(map(traps, _accesses(space, self._registers, self.raw, (Access.READ,))))


def _fetches(space: AddressSpace, registers: Registers, raw: str) -> list[Denied]:
    """The pages the instruction at RIP is fetched from: its own, and the next when it crosses over."""
    found = origin.at_rip(space, registers.rip)
    last = registers.rip + max(len(found.code), 1) - 1
    addresses = [registers.rip]
    if last // PAGE_SIZE != registers.rip // PAGE_SIZE:
        addresses.append(last - last % PAGE_SIZE)
    pages = [(space.gpa(gva), gva) for gva in addresses]
    return [Denied(WHOLE, found, gpa, Access.EXECUTE, 0, None, raw, gva) for gpa, gva in pages if gpa is not None]


def _accesses(space: AddressSpace, registers: Registers, raw: str, kinds: tuple[Access, ...]) -> list[Denied]:
    """What the instruction at RIP would do to memory."""
    found = origin.at_rip(space, registers.rip)
    operands = memory_operands(found.code, registers.rip, registers)
    return [
        Denied(WHOLE, found, gpa, access, length, None, raw, gva)
        for access in kinds
        for operand in operands
        if access in operand.access
        for gva, gpa, length in space.parts(operand.address, operand.size)
    ]

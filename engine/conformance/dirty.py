"""Dirty pages: the log read and cleared, and who is in it."""

from engine.conformance.check import Body, Subject, answers, equal, errno_name
from engine.conformance.errnos import CLEARED, CLEARS, LOGS, MANUAL, Clear, Flags, Log
from engine.conformance.guest import Factory, Guest
from engine.model.address import PAGE_SIZE
from engine.model.dirty import ManualProtect
from engine.model.rights import Rights

DIRTY = Subject("dirty")
_LOG, _CLEAR, _MANUAL = (
    "api.rst 4.8, KVM_GET_DIRTY_LOG",
    "api.rst 4.117, KVM_CLEAR_DIRTY_LOG",
    "api.rst 7.18, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2",
)
_DATA, _PAGE = Guest.DATA, Guest.PAGE
_STORES = "mov [rbx], rax\nmov [rbx+0x3000], rax\nmov [rbx+0x40000], rax\nhlt"
"""Pages 0, 3 and 64 of slot 1."""
_STORED = {_DATA, _DATA + 0x3000, _DATA + 0x40000}
_ALL = b"\xff" * 64


def _log(row: Log) -> Body:
    return lambda make: answers(lambda: make.guest().vm.get_dirty_log(row.slot), row.code)


def _clear(row: Clear) -> Body:
    def body(make: Factory) -> None:
        vm = make.guest().vm
        vm.enable_manual_protect(ManualProtect.ENABLE)
        vm.set_memory_region(CLEARED)
        answers(lambda: vm.clear_dirty_log(row.slot, row.first_page, row.num_pages, _ALL), row.code)

    return body


def _manual(row: Flags) -> Body:
    def body(make: Factory) -> None:
        vm = make.guest().vm
        answers(lambda: vm.enable_manual_protect(row.flags), row.code)
        equal(vm.dirty_way, "clear" if row.flags & 1 and not row.code else "log", "the way of dirty pages afterwards")

    return body


for _row in LOGS:
    DIRTY.add(f"get {_row.name}", f"KVM_GET_DIRTY_LOG, {_row.name}: {errno_name(_row.code)}", _LOG, _log(_row))
for _row in CLEARS:
    DIRTY.add(f"clear {_row.name}", f"KVM_CLEAR_DIRTY_LOG, {_row.name}: {errno_name(_row.code)}", _CLEAR, _clear(_row))
for _row in MANUAL:
    DIRTY.add(f"manual {_row.name}", f"Manual protection, {_row.name}: {errno_name(_row.code)}", _MANUAL, _manual(_row))


def _store(guest: Guest) -> None:
    guest.load(_STORES, rbx=_DATA)
    guest.drive()


@DIRTY.check("log", _LOG)
def _read(make: Factory) -> None:
    """The log has the pages that were written since it was last read; reading empties it."""
    guest = make.guest()
    for _ in range(2):
        _store(guest)
        equal(guest.dirty(), _STORED, "the log")
        equal(guest.dirty(), set[int](), "the log, read again")


@DIRTY.check("clear", _CLEAR)
def _cleared(make: Factory) -> None:
    """With manual protection reading leaves the log; clearing takes the chosen pages, and they are told again."""
    guest = make.guest()
    guest.vm.enable_manual_protect(ManualProtect.ENABLE)
    _store(guest)
    equal(guest.dirty(), _STORED, "the log")
    guest.vm.clear_dirty_log(1, 0, 64, (1 << 3).to_bytes(8, "little"))
    equal(guest.dirty(), _STORED - {_DATA + 0x3000}, "the log without page 3")
    guest.vm.clear_dirty_log(1, 0, 512, _ALL)
    _store(guest)
    equal(guest.dirty(), _STORED, "the log after the same stores")


@DIRTY.check("initially set", _MANUAL)
def _initially_set(make: Factory) -> None:
    """A log that begins with every bit set tells all pages of its slot until they are cleared."""
    guest = make.guest()
    guest.vm.enable_manual_protect(ManualProtect.ENABLE | ManualProtect.INITIALLY_SET)
    guest.vm.set_memory_region(CLEARED)
    equal(int.from_bytes(guest.vm.get_dirty_log(2), "little"), (1 << 100) - 1, "the log of 100 pages")
    guest.vm.clear_dirty_log(2, 64, 36, _ALL)
    guest.load("mov [rbx], rax\nhlt", rbx=CLEARED.base + 70 * PAGE_SIZE)
    guest.drive()
    equal(int.from_bytes(guest.vm.get_dirty_log(2), "little"), (1 << 64) - 1 | 1 << 70, "the log after a clear")


@DIRTY.check("the VMM's writes", "api.rst 4.8: a writer outside KVM_RUN marks its pages itself")
def _vmm_writes(make: Factory) -> None:
    """What the VMM writes itself is in the log."""
    guest = make.guest()
    guest.memory.write(_DATA + 0x1FFC, b"12345678")
    equal(guest.dirty(), {_DATA + 0x1000, _DATA + 0x2000}, "the log")


@DIRTY.check("a completed store", "engine/hypervisor/contract/protocols.py, Vm.get_dirty_log")
def _completed(make: Factory) -> None:
    """A denied store that the VMM completed is in the log."""
    guest = make.guest()
    guest.fence(Rights.RX)
    guest.load("mov [rbx], rax\nhlt", rbx=_PAGE)
    guest.drive()
    equal(guest.dirty(), {_PAGE}, "the log")


@DIRTY.check("another VTL's writes", "engine/hypervisor/contract/protocols.py, Vm.get_dirty_log")
def _other_vtl(make: Factory) -> None:
    """What VTL1 writes is in the same log."""
    guest = make.guest()
    guest.vcpu.enter_vtl(1)
    _store(guest)
    equal(guest.dirty(), _STORED, "the log")

"""The contract, one body for every hypervisor: a guest that steps itself (RFLAGS.TF) over what a fence denies."""

import pytest

from engine.conformance.handlers import handle
from engine.model.exits import AnyExit, ProtectionExit
from engine.model.resolution import Complete, Drop, Resolution, Retry
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import Guest

PAGE = Guest.PAGE
OLD = 0x1111111111111111
STEPPED = 2
HANDLER = f"inc r14\ncmp r14, {STEPPED}\njb on\nand dword ptr [rsp+0x10], 0xfffffeff\non: iretq"
"""Counts #DB, and lets the guest run on after the second."""
PROGRAM = "pushfq\nor dword ptr [rsp], 0x100\npopfq\n{}\nnop\nhlt"
STORES = {
    "mov [rbx], rax": 5,
    "inc qword ptr [rbx]": OLD + 1,
    "lock inc qword ptr [rbx]": OLD + 1,
    "xchg [rbx], rax": 5,
}
LOCKED = ("lock inc qword ptr [rbx]", "xchg [rbx], rax")


def _lift(guest: Guest) -> Resolution:
    guest.fence(Rights.RWX)
    return Retry()


def _stepped(guest: Guest, store: str, answer: Resolution | None) -> list[AnyExit]:
    """The exits; `answer` None: the fence is lifted and the store tried again."""
    handle(guest, {1: HANDLER})
    guest.fence(Rights.RX)
    guest.load(PROGRAM.format(store), rbx=PAGE, rax=5)
    exits = guest.drive(lambda _: answer or _lift(guest))
    # Kernels that emulate forget the trap behind a store that userspace finishes: docs/differences.md.
    stepped_again = answer is None or (answer == Complete() and store in LOCKED)
    forgotten = not stepped_again and not guest.vm.capabilities.denies_whole
    assert guest.vcpu.registers().r14 == STEPPED - forgotten
    return exits


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("answer", [Complete(), None], ids=["completed", "retried"])
def test_a_stepped_store_that_is_denied_happens_once_and_then_traps(
    guest: Guest, store: str, answer: Resolution | None
) -> None:
    exits = _stepped(guest, store, answer)
    assert [type(exit) for exit in exits] == [ProtectionExit]
    assert guest.word() == STORES[store]


@pytest.mark.parametrize("store", STORES)
def test_a_stepped_store_that_is_dropped_traps_as_well(guest: Guest, store: str) -> None:
    exits = _stepped(guest, store, Drop())
    assert [type(exit) for exit in exits] == [ProtectionExit]
    assert guest.word() == OLD

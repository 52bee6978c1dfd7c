import pytest

from engine.machine.answers import answer
from engine.model.exits import HltExit, IoExit, MmioExit, ProtectionExit, ShutdownExit, VoidExit
from engine.model.resolution import Complete, Drop, Retry
from engine.model.rights import Access, Rights

DENIED = ProtectionExit(vcpu=0, gpa=0x210000, access=Access.WRITE, size=8, data=bytes(8))


@pytest.mark.parametrize(
    ("policy", "resolution", "state"),
    [
        ("complete", Complete(), "running"),
        ("drop", Drop(), "running"),
        ("halt", None, "fenced"),
        ("relax", Retry(), "running"),
        ("intercept", Retry(), "running"),
    ],
)
def test_a_protection_exit_is_answered_by_the_policy(policy, resolution, state) -> None:
    found = answer(DENIED, policy)
    assert (found.resolution, found.state) == (resolution, state)


def test_relax_lifts_the_whole_fence_of_the_page() -> None:
    assert answer(DENIED, "relax").relax_to == Rights.RWX


def test_nobody_answers_in_the_void() -> None:
    assert answer(VoidExit(vcpu=0, gpa=0, access=Access.READ, size=1), "complete").resolution == Drop()


def test_a_store_to_a_readonly_slot_and_an_out_are_acknowledged() -> None:
    mmio = MmioExit(vcpu=0, gpa=0, access=Access.WRITE, size=1, data=b"x")
    out = IoExit(vcpu=0, port=0x10, size=1, data=b"x")
    for exit in (mmio, out):
        assert answer(exit, "drop").resolution == Complete()


def test_an_in_reads_all_ones() -> None:
    assert answer(IoExit(vcpu=0, port=0x10, size=1), "complete").resolution == Drop()


def test_hlt_ends_the_vcpu_well_and_a_triple_fault_does_not() -> None:
    assert answer(HltExit(vcpu=0), "complete").state == "halted"
    assert answer(ShutdownExit(vcpu=0), "complete").state == "dead"

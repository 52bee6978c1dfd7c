"""Which VTL an interrupt leads to, and who is told that one is kept back."""

import pytest
from msgspec.structs import replace

from engine.abi.tlfs.registers import RegisterName as Name
from engine.abi.x86 import RFLAGS_IF
from engine.vsm import effects
from engine.vsm.interrupts import notified, preempted_by
from tests.engine.vsm.partition import Partition

ASSIST, VECTOR = 0x5000, 0x50
ENABLED = VECTOR | 1 << 8


def request(guest: Partition, vtl: int, vector: int = 0x40) -> Partition:
    guest.perform([effects.RequestInterrupt(0, vtl, vector)])
    return guest


def test_it_waits_once_until_it_is_accepted() -> None:
    guest = request(request(Partition(), 0), 0)
    assert guest.partition.vps[0].vtls[0].requested == {0x40}
    guest.perform([effects.AcceptInterrupt(0, 0, 0x40)])
    assert guest.partition.vps[0].vtls[0].requested == frozenset()


@pytest.mark.parametrize(
    ("vtls", "active", "entered"), [((1, 3), 0, 3), ((1,), 0, 1), ((1,), 1, None), ((0,), 1, None)]
)
def test_the_highest_vtl_above_the_active_one_is_entered(vtls, active, entered) -> None:
    guest = Partition(maximum_vtl=3).enable(1, 3)
    guest.perform([effects.SwitchVtl(0, active)])
    for vtl in vtls:
        request(guest, vtl)
    assert preempted_by(guest, 0) == entered
    assert preempted_by(guest, 1) is None


@pytest.mark.parametrize(("priority", "entered"), [(3, 1), (4, None)])
def test_a_task_priority_keeps_it_waiting(priority, entered) -> None:
    """Vector 0x40 is of class 4."""
    guest = request(Partition().enable(1), 1)
    guest.registers[0, 1, Name.CR8] = priority
    assert preempted_by(guest, 0) == entered


def in_vtl1(vina: int = ENABLED, assist: int = ASSIST | 1, rflags: int = RFLAGS_IF) -> Partition:
    """An interrupt waits for VTL0 while VTL1 is active."""
    guest = Partition().enable(1)
    guest.partition = guest.partition.with_vp_vtl(0, 1, lambda old: replace(old, vina=vina, assist_page=assist))
    guest.registers[0, 0, Name.RFLAGS] = rflags
    guest.perform([effects.SwitchVtl(0, 1)])
    return request(guest, 0)


def test_vina_interrupts_and_says_so_in_the_assist_page_once() -> None:
    guest = in_vtl1()
    guest.perform(notified(guest, 0))
    assert (guest.memory[ASSIST + 12], guest.partition.vps[0].vtls[1].requested) == (1, {VECTOR})
    assert notified(guest, 0) == ()
    guest.memory[ASSIST + 12] = 0
    assert len(notified(guest, 0)) == 2


@pytest.mark.parametrize(
    "fields",
    [{"vina": VECTOR}, {"assist": ASSIST}, {"rflags": 0}],
    ids=["not enabled", "no assist page", "VTL0 has IF 0"],
)
def test_vina_tells_nothing(fields) -> None:
    assert notified(in_vtl1(**fields), 0) == ()


def test_vina_is_about_lower_vtls_only() -> None:
    guest = in_vtl1()
    guest.perform([effects.AcceptInterrupt(0, 0, 0x40), effects.RequestInterrupt(0, 1, 0x41)])
    assert notified(guest, 0) == ()

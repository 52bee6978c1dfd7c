"""VTL call and return: where they lead, and when they are undefined."""

import pytest
from msgspec.structs import replace

from engine.abi.tlfs.processor import EntryReason
from engine.abi.tlfs.registers import RegisterName as Name
from engine.vsm import effects
from engine.vsm.parameters import Undefined
from engine.vsm.switch import PRIVATE, SHARED, Switched, enter, vtl_call, vtl_return
from engine.vsm.view import Caller
from tests.engine.vsm.partition import Partition

ASSIST = 0x5000


def with_assist(guest: Partition, vtl: int = 1, vina: int = 0) -> Partition:
    guest.partition = guest.partition.with_vp_vtl(0, vtl, lambda old: replace(old, assist_page=ASSIST | 1, vina=vina))
    return guest


def test_a_call_leads_to_the_next_higher_vtl_that_is_enabled() -> None:
    guest = Partition(maximum_vtl=5).enable(3, 5)
    found = [vtl_call(Caller(0, vtl), guest.partition, 0) for vtl in (0, 3)]
    assert [switched.to_vtl for switched in found if isinstance(switched, Switched)] == [3, 5]


def test_the_assist_page_tells_why_it_was_entered() -> None:
    guest = with_assist(Partition().enable(1))
    switched = vtl_call(Caller(0, 0), guest.partition, 0)
    assert switched == Switched(
        from_vtl=0,
        to_vtl=1,
        reason=EntryReason.VTL_CALL,
        effects=(effects.SwitchVtl(0, 1), effects.WriteMemory(ASSIST + 8, b"\x01\x00\x00\x00", 1)),
    )


@pytest.mark.parametrize("reason", [EntryReason.INTERRUPT, EntryReason.INTERCEPT])
def test_other_entries(reason: EntryReason) -> None:
    guest = with_assist(Partition().enable(1))
    guest.perform(enter(guest.partition, 0, 1, reason).effects)
    assert (guest.memory[ASSIST + 8], guest.partition.vps[0].active_vtl) == (reason, 1)


def test_an_entry_resets_vina_where_that_is_automatic() -> None:
    for vina, expected in ((1 << 8, 1), (1 << 8 | 1 << 9, 0)):
        guest = with_assist(Partition().enable(1), vina=vina)
        guest.memory[ASSIST + 12] = 1
        guest.perform(enter(guest.partition, 0, 1, EntryReason.VTL_CALL).effects)
        assert guest.memory[ASSIST + 12] == expected


UNDEFINED_CALLS = [
    (Caller(0, 0, cpl=3), 0),
    (Caller(0, 0, cpl=1), 0),
    (Caller(0, 0, real_mode=True), 0),
    (Caller(0, 0), 1),
    (Caller(0, 0), 1 << 63),
    (Caller(0, 1), 0),
]


@pytest.mark.parametrize(("caller", "control"), UNDEFINED_CALLS)
def test_undefined_calls(caller: Caller, control: int) -> None:
    """TLFS, VTL Call Restrictions."""
    assert vtl_call(caller, Partition().enable(1).partition, control) == Undefined()


def test_a_vtl_of_the_partition_is_no_vtl_of_the_processor() -> None:
    guest = Partition()
    guest.partition = guest.partition.with_vtl(1, lambda old: replace(old, enabled=True))
    assert vtl_call(Caller(0, 0), guest.partition, 0) == Undefined()


@pytest.mark.parametrize(
    ("entries", "returns"),
    [((3, 5), [3, 0]), ((5,), [0]), ((3,), [0]), ((3, 5, 3), [0])],
    ids=["called twice", "past VTL3", "called once", "returned meanwhile"],
)
def test_a_return_leads_to_where_it_was_entered_from(entries: tuple[int, ...], returns: list[int]) -> None:
    """An intercept or an interrupt may pass over a VTL, which then is not returned to either."""
    guest = Partition(maximum_vtl=5).enable(3, 5)
    for vtl in entries:
        guest.perform([effects.SwitchVtl(0, vtl)])
    found: list[int] = []
    while guest.partition.vps[0].active_vtl:
        switched = vtl_return(Caller(0, guest.partition.vps[0].active_vtl), guest.partition, 1)
        assert isinstance(switched, Switched)
        guest.perform(switched.effects)
        found.append(switched.to_vtl)
    assert found == returns


@pytest.mark.parametrize(("control", "restore"), [(0, ASSIST + 16), (1, None)])
def test_a_fast_return_restores_nothing(control: int, restore: int | None) -> None:
    """RAX and RCX are the first two u64 behind the entry reason and VINA."""
    guest = with_assist(Partition().enable(1))
    switched = vtl_return(Caller(0, 1), guest.partition, control)
    assert isinstance(switched, Switched)
    assert switched.restore == restore


@pytest.mark.parametrize(
    ("caller", "control"),
    [(Caller(0, 0), 0), (Caller(0, 1), 2), (Caller(0, 1), 1 << 63 | 1), (Caller(0, 1, cpl=3), 0)],
)
def test_undefined_returns(caller: Caller, control: int) -> None:
    assert vtl_return(caller, Partition().enable(1).partition, control) == Undefined()


def test_a_return_releases_the_tlb_locks_of_that_vtl() -> None:
    guest = Partition(maximum_vtl=2, mbec=True).enable(1, 2, mbec=True)
    guest.perform([effects.SetSecureConfig(0, 2, 0, 0b11), effects.SetSecureConfig(0, 1, 0, 0b10)])
    switched = vtl_return(Caller(0, 2), guest.partition, 1)
    assert isinstance(switched, Switched)
    guest.perform(switched.effects)
    assert [guest.partition.vps[0].vtls[vtl].secure[0] for vtl in (1, 2)] == [0b10, 0b01]


def test_each_register_is_either_private_or_shared() -> None:
    assert not set(PRIVATE) & set(SHARED)
    assert {Name.RIP, Name.RSP, Name.RFLAGS, Name.CR3} <= set(PRIVATE)
    assert {Name.RAX, Name.R15, Name.CR2} <= set(SHARED)

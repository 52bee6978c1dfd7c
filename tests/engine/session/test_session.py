"""One session on every hypervisor: what a person does with the buttons."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from engine.model.commands import (
    Churn,
    DeleteSlot,
    Harvest,
    MoveSlot,
    Pause,
    Reset,
    Run,
    SetMask,
    SetPolicy,
    SetSlot,
    SetSpeed,
    Step,
)
from engine.model.memslot import Memslot
from engine.session.host import Host
from engine.session.session import Session

TOUCH = {"guest": "touch", "params": {"base": 0x200000, "pages": 16}}
SPIN = {"guest": "spin"}


@contextmanager
def session_of(scenario, host: Host) -> Iterator[Session]:
    session = Session(scenario, host)
    try:
        yield session
    finally:
        session.close()


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "did not happen in time"
        time.sleep(0.005)


def test_it_stands_ready_and_paused(scenario, host) -> None:
    with session_of(scenario(vcpus=[TOUCH]), host) as session:
        assert session.view.phase == "paused"
        assert sorted(session.view.slots) == [0, 1]


def test_running_dirties_pages_and_a_pause_ends_it(scenario, host) -> None:
    with session_of(scenario(vcpus=[TOUCH]), host) as session:
        session.handle(Run())
        until(lambda: (session.harvest() or True) and session.view.dirty_pages >= 16)
        session.handle(Pause())
        session.handle(Harvest())
        before = session.view.dirty_pages
        time.sleep(0.05)
        session.handle(Harvest())
        assert session.view.dirty_pages == before


def test_a_mask_under_a_running_vcpu_makes_protection_exits_and_clearing_it_stops_them(scenario, host) -> None:
    with session_of(scenario(vcpus=[TOUCH, SPIN]), host) as session:
        session.handle(SetSpeed(2000.0))
        session.handle(Run())
        assert session.handle(SetMask(base=0x204000, pages=2, rights=0xD)) == ""
        until(lambda: session.view.exits["protection"] >= 3)
        assert {event.exit.gpa >> 12 for event in session.view.fresh_exits} <= {0x204, 0x205}
        session.handle(SetMask(base=0x204000, pages=2, rights=0xF))
        time.sleep(0.1)
        before = session.view.exits["protection"]
        time.sleep(0.2)
        assert session.view.exits["protection"] <= before + 1


def test_a_step_takes_exactly_one_exit(scenario, host) -> None:
    masks = [{"vtl": 0, "base": 0x200000, "pages": 16, "mask": "RX"}]
    with session_of(scenario(vcpus=[TOUCH, TOUCH], masks=masks), host) as session:
        for taken in (1, 2, 3):
            session.handle(Step())
            until(lambda: session.view.phase == "paused")
            assert session.view.exits.total() == taken


def test_the_exit_limit_is_exact_with_two_vcpus(scenario, host) -> None:
    masks = [{"vtl": 0, "base": 0x200000, "pages": 16, "mask": "RX"}]
    with session_of(scenario(vcpus=[TOUCH, TOUCH], masks=masks, limits={"exits": 101}), host) as session:
        session.handle(Run())
        until(lambda: session.view.phase == "ended")
        assert (session.view.exits.total(), session.view.why) == (101, "limit:exits")
        assert "reset" in session.handle(Run())
        session.handle(Reset())
        assert (session.view.phase, session.view.exits.total()) == ("paused", 0)


@pytest.mark.parametrize(("policy", "state"), [("halt", "fenced"), ("relax", "running"), ("drop", "running")])
def test_what_a_protection_exit_does_can_be_chosen(scenario, host, policy, state) -> None:
    masks = [{"vtl": 0, "base": 0x200000, "pages": 16, "mask": "RX"}]
    with session_of(scenario(vcpus=[TOUCH, SPIN], masks=masks), host) as session:
        session.handle(SetPolicy(policy))
        session.handle(SetSpeed(500.0))
        session.handle(Run())
        until(lambda: session.view.exits["protection"] >= (1 if policy == "halt" else 16))
        time.sleep(0.05)
        assert session.view.vcpus[0].state == state
        if policy == "relax":
            assert list(session.view.masks.runs()) == []
            assert session.view.exits["protection"] == 16


def test_a_deleted_slot_leaves_void_and_a_moved_one_takes_its_data_along(scenario, host) -> None:
    with session_of(scenario(vcpus=[TOUCH]), host) as session:
        session.handle(SetSpeed(2000.0))
        session.handle(Run())
        until(lambda: (session.harvest() or True) and session.view.dirty_pages >= 16)
        assert session.handle(DeleteSlot(1)) == ""
        until(lambda: session.view.exits["void"] > 0)
        assert session.handle(SetSlot(Memslot(1, 0x200000, 0x100000, 0x200000, 1))) == ""
        assert session.handle(MoveSlot(1, 0x300000)) == ""
        assert session.machine.vm.memory().read(0x300000, 8) != bytes(8)


def test_churn_shows_as_exits_in_the_void_and_leaves_the_slot_in_place(scenario, host) -> None:
    with session_of(scenario(vcpus=[TOUCH]), host) as session:
        session.handle(SetSpeed(5000.0))
        session.handle(Run())
        assert session.handle(Churn(slot=1, rate=50.0)) == ""
        until(lambda: session.view.exits["void"] > 0 and session.view.churned >= 4)
        session.handle(Churn(slot=1, rate=0.0))
        until(lambda: 1 in session.machine.vm.slots)
        time.sleep(0.1)
        assert 1 in session.machine.vm.slots


def test_churn_of_a_slot_that_somebody_deleted_is_over_and_not_shown_any_more(scenario, host) -> None:
    with session_of(scenario(vcpus=[SPIN]), host) as session:
        session.handle(Run())
        session.handle(Churn(slot=1, rate=50.0))
        until(lambda: session.handle(DeleteSlot(1)) == "")
        until(lambda: session.view.churn is None)
        assert 1 not in session.machine.vm.slots


def test_a_refused_command_says_what_and_why_and_is_logged(scenario, host) -> None:
    with session_of(scenario(vcpus=[SPIN]), host) as session:
        assert "0x200800" in session.handle(SetMask(base=0x200800, pages=1, rights=0))
        assert "slot" in session.handle(DeleteSlot(7))
        assert "EEXIST" in session.handle(SetSlot(Memslot(2, 0x300000, 0x100000, 0x300000)))
        assert session.view.last_seq > 3

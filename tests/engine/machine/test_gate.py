from itertools import pairwise

from engine.machine.gate import Gate
from engine.model.scenario import Limits


def opened(limits: Limits = Limits(), phase: str = "running") -> Gate:
    gate = Gate(limits)
    gate.phase = phase
    return gate


def test_a_closed_gate_lets_no_exit_through() -> None:
    assert Gate(Limits()).delay(0.0) is None


def test_without_a_speed_exits_pass_at_once() -> None:
    assert opened().delay(0.0) == 0.0


def test_ten_exits_a_second_are_a_tenth_of_a_second_apart() -> None:
    gate = opened()
    gate.set_speed(10.0)
    due = []
    now = 0.0
    for _ in range(5):
        now += gate.delay(now) or 0.0
        due.append(now)
        gate.count(now)
    assert [round(later - sooner, 6) for sooner, later in pairwise(due)] == [0.1] * 4


def test_a_pause_does_not_earn_a_burst() -> None:
    gate = opened()
    gate.set_speed(10.0)
    gate.count(0.0)
    gate.count(1000.0)
    gate.count(1000.0)
    assert (gate.delay(1000.0) or 0) > 0.05


def test_a_step_takes_one_exit_whatever_the_speed() -> None:
    gate = opened(phase="stepping")
    gate.set_speed(0.001)
    gate.count(0.0)
    assert gate.delay(0.0) == 0.0
    assert gate.after_exit() == ("paused", "step")


def test_the_limit_ends_the_run_at_exactly_its_number() -> None:
    gate = opened(Limits(exits=2))
    gate.count(0.0)
    assert gate.after_exit() is None
    gate.count(0.0)
    assert gate.after_exit() == ("ended", "limit:exits")


def test_no_speed_is_too_low_to_be_waited_for() -> None:
    gate = opened()
    gate.set_speed(5e-324)  # 1 / speed is infinite, and no lock can be waited for that long
    gate.count(0.0)
    assert 0.0 < (gate.delay(0.0) or 0.0) <= 60.0


def test_a_higher_speed_counts_at_once() -> None:
    gate = opened()
    gate.set_speed(0.001)
    gate.count(0.0)
    gate.set_speed(1000.0)
    assert gate.delay(0.0) == 0.0

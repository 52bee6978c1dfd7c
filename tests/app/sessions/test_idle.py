"""Half a minute without a viewer pauses a running session, ten minutes close it, and whoever comes back sees it run."""

from app.sessions.idle import Idle


def running_since(now: float) -> Idle:
    idle = Idle(pause_after=30, close_after=600, now=now)
    idle.told("run")
    return idle


def test_it_is_paused_once_and_closed_in_the_end() -> None:
    idle = running_since(0)
    assert idle.next(0, 29) == "nothing"
    assert idle.next(0, 30) == "pause"
    assert idle.next(0, 31) == "nothing"
    assert idle.next(0, 600) == "close"


def test_a_viewer_keeps_it_running() -> None:
    idle = running_since(0)
    assert idle.next(1, 1000) == "nothing"
    assert idle.next(0, 1029) == "nothing"
    assert idle.next(0, 1030) == "pause"


def test_whoever_comes_back_sees_it_run_on() -> None:
    idle = running_since(0)
    assert idle.next(0, 30) == "pause"
    assert idle.next(1, 40) == "resume"
    assert idle.next(1, 41) == "nothing"


def test_what_a_person_paused_stays_paused() -> None:
    idle = running_since(0)
    idle.told("pause")
    assert idle.next(0, 100) == "nothing"
    assert idle.next(1, 101) == "nothing"


def test_a_command_counts_as_use_and_beats_our_pause() -> None:
    idle = running_since(0)
    assert idle.next(0, 30) == "pause"
    idle.used(35)
    idle.told("run")
    assert idle.next(1, 36) == "nothing"
    assert idle.next(0, 66) == "pause"


def test_a_command_that_leaves_the_run_alone_changes_nothing() -> None:
    idle = running_since(0)
    assert idle.next(0, 30) == "pause"
    idle.told("set_mask")
    assert idle.next(1, 40) == "resume"

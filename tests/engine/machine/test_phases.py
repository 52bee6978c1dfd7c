import pytest

from engine.machine.phases import ALLOWED, refusal
from engine.model.commands import AnyCommand, Pause, Reset, Run, SetMask, Step


def test_every_command_has_its_phases() -> None:
    assert set(ALLOWED) == set(AnyCommand.__args__)


@pytest.mark.parametrize("command", [Run(), Pause(), SetMask(base=0, pages=1, rights=0)])
def test_after_the_end_only_a_reset_helps(command) -> None:
    assert "reset" in refusal(command, "ended", "hlt")
    assert refusal(Reset(), "ended", "hlt") == ""


def test_a_step_needs_a_pause() -> None:
    assert refusal(Step(), "running", "") != ""
    assert refusal(Step(), "paused", "") == ""

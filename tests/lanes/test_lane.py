"""The lane's own promises, without its machine."""

import io

import pytest

from tests.lanes.lane import DIED, FULL, SHORT, listen, runs_of, try_twice


@pytest.mark.parametrize(
    ("statuses", "status"), [([0], 0), ([1], 1), ([2], 2), ([DIED, 0], 0), ([DIED, 1], 1), ([DIED, DIED], DIED)]
)
def test_only_a_machine_that_died_is_tried_again_and_only_once(
    statuses: list[int], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    told = iter(statuses)
    assert try_twice(lambda: next(told)) == status
    assert list(told) == []
    assert ("RETRIED" in capsys.readouterr().out) == (len(statuses) == 2)


@pytest.mark.parametrize(
    ("console", "status"),
    [(b"....\n@@STATUS 1\nreboot\n", 1), (b"@@STATUS 0\n", 0), (b"Kernel panic\n", DIED), (b"", DIED)],
)
def test_a_machine_that_tells_no_status_has_died(
    console: bytes, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert listen(io.BytesIO(console)) == status
    assert "@@" not in capsys.readouterr().out


def test_what_runs() -> None:
    assert (runs_of([]), runs_of(["--short"]), runs_of(["-x", "a"])) == (FULL, SHORT, (("-x", "a"),))

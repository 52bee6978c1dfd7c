"""Logs of the newest sessions stay; those of live ones always."""

import os
from pathlib import Path

from app.sessions.event_logs import KEPT, new_log


def test_a_log_has_a_directory_of_its_own(tmp_path: Path) -> None:
    path = new_log(tmp_path / "logs", "abc", ())
    assert path.parent.is_dir()
    assert path.parent.name == "abc"


def test_the_oldest_make_room_unless_they_live(tmp_path: Path) -> None:
    for number in range(KEPT + 5):
        path = new_log(tmp_path, f"s{number}", live={"s0"})
        os.utime(path.parent, (number, number))
    left = {path.name for path in tmp_path.iterdir()}
    assert "s0" in left
    assert f"s{KEPT + 4}" in left
    assert {"s1", "s2", "s3"}.isdisjoint(left)
    assert len(left) == KEPT + 1

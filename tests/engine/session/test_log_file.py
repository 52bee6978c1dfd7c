from pathlib import Path

import pytest

from engine.model.events import LogHeader, PhaseChanged
from engine.session import log_file
from engine.session.log_file import LogFile, read_segment

HEADER = LogHeader(version=1, scenario=b"{}", hypervisor="sim", clock="guest instructions")


def test_events_are_read_back_as_written(tmp_path: Path) -> None:
    events = [PhaseChanged(seq=n, time=n, phase="paused") for n in range(5)]
    log = LogFile(tmp_path / "log", HEADER)
    for event in events:
        log(event)
    log.close()
    header, read = read_segment(tmp_path / "log.0")
    assert (header, list(read)) == (HEADER, events)


def test_a_record_torn_by_a_kill_ends_the_log(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log", HEADER)
    log(PhaseChanged(seq=1, time=0, phase="paused"))
    log(PhaseChanged(seq=2, time=0, phase="running"))
    log.close()
    whole = (tmp_path / "log.0").read_bytes()
    (tmp_path / "log.0").write_bytes(whole[:-3])
    assert [event.seq for event in read_segment(tmp_path / "log.0")[1]] == [1]


def test_only_the_newest_segments_are_kept(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(log_file, "SEGMENT_BYTES", 200)
    log = LogFile(tmp_path / "log", HEADER)
    for n in range(100):
        log(PhaseChanged(seq=n, time=n, phase="paused"))
    log.close()
    kept = sorted(tmp_path.iterdir(), key=lambda path: int(path.suffix[1:]))
    assert len(kept) == log_file.SEGMENTS_KEPT
    assert [event.seq for path in kept for event in read_segment(path)[1]][-1] == 99


def test_a_full_disk_ends_the_log_and_nothing_else(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    (tmp_path / "log.0").symlink_to("/dev/full")
    log = LogFile(tmp_path / "log", HEADER)
    log(PhaseChanged(seq=1, time=0, phase="paused"))
    log.flush()
    log(PhaseChanged(seq=2, time=0, phase="running"))
    log.close()
    assert capfd.readouterr().err.count("No space left on device") == 1


def test_a_flush_that_comes_after_the_end_is_none(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log", HEADER)
    log.close()
    log.flush()
    assert read_segment(tmp_path / "log.0")[0] == HEADER

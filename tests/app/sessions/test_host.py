"""How an engine ended, in words."""

from app.sessions.host import ending


def test_killed_by_a_signal() -> None:
    end = ending(-9, "")
    assert (end.signal, end.exit) == (9, None)
    assert "SIGKILL" in end.reason
    assert not end.expected


def test_a_signal_that_has_no_name() -> None:
    assert "63" in ending(-63, "").reason


def test_a_crash_says_its_last_words() -> None:
    end = ending(70, "MemoryError: no room")
    assert (end.signal, end.exit) == (None, 70)
    assert end.reason.endswith("MemoryError: no room")


def test_an_orderly_end() -> None:
    assert ending(0, "").expected

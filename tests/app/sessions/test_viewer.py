"""A viewer is sent two frames, then nothing until it acknowledges; what it missed is one merged frame."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sessions.viewer import CREDIT, BadAckError, Viewer


def glue(older: bytes, newer: bytes) -> bytes:
    """A merge that shows what went into it."""
    return older + b"+" + newer


def viewer_with(*frames: str) -> Viewer:
    """A viewer that was offered frames 1, 2, ..., the first one a keyframe."""
    viewer = Viewer(glue)
    for seq, frame in enumerate(frames, start=1):
        viewer.offer(seq, seq == 1, frame.encode())
    return viewer


def test_nothing_is_shown_before_a_keyframe() -> None:
    viewer = Viewer(glue)
    viewer.offer(7, False, b"half a story")
    assert viewer.take() is None
    viewer.offer(8, True, b"key")
    assert viewer.take() == b"key"


def test_two_frames_go_out_and_the_third_waits() -> None:
    viewer = Viewer(glue)
    for seq, frame in enumerate((b"a", b"b"), start=1):
        viewer.offer(seq, True, frame)
        assert viewer.take() == frame
    viewer.offer(3, False, b"c")
    assert viewer.stalled
    assert viewer.take() is None
    assert viewer.waiting == 1


def test_what_was_missed_comes_merged_with_one_acknowledgement() -> None:
    viewer = Viewer(glue)
    for seq, frame in enumerate((b"a", b"b", b"c", b"d", b"e"), start=1):
        viewer.offer(seq, seq == 1, frame)
        viewer.take()
    viewer.acknowledge(1)
    assert viewer.take() == b"c+d+e"
    viewer.offer(6, False, b"f")
    viewer.acknowledge(5)
    assert viewer.take() == b"f"


def test_an_acknowledgement_covers_the_frames_before_it() -> None:
    viewer = Viewer(glue)
    for seq in (1, 2):
        viewer.offer(seq, True, b"x")
        viewer.take()
    viewer.acknowledge(2)
    assert not viewer.stalled
    viewer.acknowledge(1)  # late, and no news


@pytest.mark.parametrize("seq", [-1, 0, 2, 3, 10**9])
def test_what_was_never_sent_cannot_be_acknowledged(seq: int) -> None:
    """Frame 2 exists and is kept back, which the viewer cannot know."""
    viewer = viewer_with("a")
    assert viewer.take() == b"a"
    viewer.offer(2, False, b"b")
    with pytest.raises(BadAckError):
        viewer.acknowledge(seq)


@given(st.lists(st.sampled_from(["offer", "take", "ack"]), max_size=200))
def test_no_frame_is_lost_or_doubled_and_credit_holds(acts: list[str]) -> None:
    viewer, offered, sent = Viewer(glue), 0, list[bytes]()
    in_flight: list[int] = []
    for act in acts:
        if act == "offer":
            offered += 1
            viewer.offer(offered, offered == 1, b"%d" % offered)
        elif act == "take" and (frame := viewer.take()) is not None:
            sent.append(frame)
            in_flight.append(int(frame.split(b"+")[-1]))
        elif act == "ack" and in_flight:
            viewer.acknowledge(in_flight.pop(0))
        assert len(in_flight) <= CREDIT
    for seq in in_flight:
        viewer.acknowledge(seq)
    sent += [frame for frame in [viewer.take()] if frame is not None]
    assert [int(part) for frame in sent for part in frame.split(b"+")] == list(range(1, offered + 1))

"""The hub hands each frame to every viewer and merges once for all that are equally far behind."""

from app.sessions.hub import Hub
from engine.wire import FrameReady


class Counted:
    """A merge that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, older: bytes, newer: bytes) -> bytes:
        self.calls += 1
        return older + newer


def publish(hub: Hub, *seqs: int) -> None:
    for seq in seqs:
        hub.publish(FrameReady(seq, seq == 1, b"%d" % seq))


def test_each_viewer_that_joins_makes_the_engine_send_a_keyframe() -> None:
    wanted: list[str] = []
    hub = Hub(Counted(), lambda: wanted.append("keyframe"))
    hub.join()
    hub.join()
    assert wanted == ["keyframe", "keyframe"]
    assert len(hub) == 2


def test_every_viewer_gets_the_frame_and_its_bell_rings() -> None:
    hub = Hub(Counted(), lambda: None)
    seats = [hub.join() for _ in range(3)]
    publish(hub, 1)
    assert [seat.viewer.take() for seat in seats] == [b"1"] * 3
    assert all(seat.bell.is_set() for seat in seats)


def test_who_left_gets_nothing() -> None:
    hub = Hub(Counted(), lambda: None)
    seat = hub.join()
    hub.leave(seat)
    publish(hub, 1)
    assert seat.viewer.take() is None
    assert len(hub) == 0


def test_fifty_viewers_behind_by_the_same_frames_cost_one_merge_a_frame() -> None:
    merge = Counted()
    hub = Hub(merge, lambda: None)
    seats = [hub.join() for _ in range(50)]
    publish(hub, 1, 2, 3, 4)
    assert merge.calls == 3
    assert {seat.viewer.take() for seat in seats} == {b"1234"}


def test_a_slow_viewer_holds_one_frame_and_a_quick_one_gets_them_all() -> None:
    hub = Hub(Counted(), lambda: None)
    quick, slow = hub.join(), hub.join()
    got: list[bytes | None] = []
    for seq in range(1, 10):
        publish(hub, seq)
        got.append(quick.viewer.take())
        quick.viewer.acknowledge(seq)
    assert got == [b"%d" % seq for seq in range(1, 10)]
    assert slow.viewer.take() == b"123456789"

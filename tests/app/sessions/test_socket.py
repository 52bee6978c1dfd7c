"""The websocket: who gets in, what is sent, and what closes it."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse, WebSocketTestSession

from engine.session.frame import KEYFRAME, STATUS, decode_frame


@pytest.fixture
def session(client: TestClient, saved: str) -> dict[str, Any]:
    return client.post("/api/sessions", json={"scenario": saved}).json()


@pytest.fixture
def path(session: dict[str, Any]) -> str:
    return f"ws://127.0.0.1:8000/ws/sessions/{session['id']}"


def run(client: TestClient, session: dict[str, Any]) -> None:
    assert client.post(f"/api/sessions/{session['id']}/commands", json={"do": "run"}).status_code == 200


def take_frame(socket: WebSocketTestSession) -> int:
    """Receive a frame, acknowledge it, return its seq."""
    header, _ = decode_frame(socket.receive_bytes())
    socket.send_json({"ack": header.seq})
    return header.seq


def closed_with(socket: WebSocketTestSession) -> int:
    """Read on until the server closes; its code."""
    while True:
        message = socket.receive()
        if message["type"] == "websocket.close":
            return int(message["code"])


def test_a_viewer_starts_with_a_keyframe_and_gets_on_by_acknowledging(
    client: TestClient, session: dict[str, Any], path: str
) -> None:
    with client.websocket_connect(path) as socket:
        header, _ = decode_frame(socket.receive_bytes())
        assert header.flags & KEYFRAME
        socket.send_json({"ack": header.seq})
        run(client, session)
        seqs = [take_frame(socket) for _ in range(10)]
        assert seqs == sorted(set(seqs))
        assert client.get(f"/api/sessions/{session['id']}").json()["viewers"] == 1


def test_whoever_comes_late_starts_with_a_keyframe_too(client: TestClient, session: dict[str, Any], path: str) -> None:
    run(client, session)
    with client.websocket_connect(path) as first:
        for _ in range(5):
            take_frame(first)
        with client.websocket_connect(path) as second:
            header, _ = decode_frame(second.receive_bytes())
            assert header.flags & KEYFRAME


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"host": "evil.example"}, 400),
    ],
)
def test_a_page_of_another_site_is_refused_before_it_is_accepted(
    client: TestClient, path: str, headers: dict[str, str], status: int
) -> None:
    with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect(path, headers=headers):
        pass
    assert refused.value.status_code == status


def test_our_own_page_is_let_in(client: TestClient, path: str) -> None:
    with client.websocket_connect(path, headers={"origin": "http://127.0.0.1:8000"}) as socket:
        assert socket.receive_bytes()


def test_without_the_owner_s_cookie_there_is_no_such_session(client: TestClient, path: str) -> None:
    client.cookies.clear()
    for _ in range(2):  # without a cookie, then with one of our own
        with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect(path):
            pass
        assert refused.value.status_code == 404
        client.get("/api/scenarios")


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"text": "garbage"}, 1008),
        ({"text": '{"ack": -1}'}, 1008),
        ({"text": '{"ack": 0}'}, 1008),
        ({"text": '{"ack": 999999}'}, 1008),
        ({"text": '{"ack": 1.5}'}, 1008),
        ({"text": '{"ack": "1"}'}, 1008),
        ({"text": '{"ack": 1, "more": 2}'}, 1008),
        ({"text": "[" * 60}, 1008),
        ({"text": '{"ack": 1' + "0" * 60000 + "}"}, 1008),
        ({"text": ""}, 1008),
        ({"bytes": b"\0" * 100}, 1003),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_acknowledgement_closes_that_socket_only(
    client: TestClient, session: dict[str, Any], path: str, message: dict[str, Any], code: int
) -> None:
    run(client, session)
    with client.websocket_connect(path) as good, client.websocket_connect(path) as bad:
        bad.send({"type": "websocket.receive"} | message)
        assert closed_with(bad) == code
        for _ in range(5):
            take_frame(good)


def test_a_flood_closes_the_socket(client: TestClient, path: str) -> None:
    with client.websocket_connect(path) as socket:
        seq = take_frame(socket)
        for _ in range(400):
            socket.send_json({"ack": seq})
        assert closed_with(socket) == 1008


def test_viewers_are_told_how_the_engine_died(client: TestClient, session: dict[str, Any], path: str) -> None:
    with client.websocket_connect(path) as socket:
        take_frame(socket)
        os.kill(session["pid"], signal.SIGKILL)
        while "text" not in (message := socket.receive()) or message["text"] is None:
            pass
        assert '"type":"ended"' in message["text"]
        assert '"signal":9' in message["text"]
        assert closed_with(socket) == 1011


def test_a_session_that_has_ended_says_so_at_once(client: TestClient, session: dict[str, Any], path: str) -> None:
    client.delete(f"/api/sessions/{session['id']}")
    with client.websocket_connect(path) as socket:
        assert socket.receive_json() == {"type": "ended", "reason": "closed by its owner", "signal": None, "exit": 0}
        assert closed_with(socket) == 1000


def test_frames_that_are_never_acknowledged_end_it(make_client: Callable[..., TestClient], scenario_text: str) -> None:
    client = make_client(stall_after=0.5)
    saved = client.post("/api/scenarios", content=scenario_text).json()["id"]
    session = client.post("/api/sessions", json={"scenario": saved}).json()
    run(client, session)
    with client.websocket_connect(f"ws://127.0.0.1:8000/ws/sessions/{session['id']}") as socket:
        frames = 0
        while "bytes" in (message := socket.receive()):
            frames += 1
        assert (frames, message["code"]) == (2, 1013)


def phases(socket: WebSocketTestSession) -> Iterator[str]:
    """The phase that each frame tells."""
    while True:
        header, sections = decode_frame(socket.receive_bytes())
        socket.send_json({"ack": header.seq})
        (status,) = (section.payload for section in sections if section.kind == STATUS)
        yield json.loads(status)["phase"]


def test_whoever_comes_back_to_a_run_that_was_paused_for_want_of_viewers_sees_it_run_on(
    make_client: Callable[..., TestClient], scenario_text: str
) -> None:
    client = make_client(pause_after=0.1)
    saved = client.post("/api/scenarios", content=scenario_text).json()["id"]
    session = client.post("/api/sessions", json={"scenario": saved}).json()
    run(client, session)
    time.sleep(2.5)
    with client.websocket_connect(f"ws://127.0.0.1:8000/ws/sessions/{session['id']}") as socket:
        told = phases(socket)
        assert next(told) == "paused"
        assert "running" in islice(told, 100)


def test_a_client_that_goes_leaves_its_seat(client: TestClient, session: dict[str, Any], path: str) -> None:
    for _ in range(3):
        with client.websocket_connect(path) as socket:
            take_frame(socket)
    assert client.get(f"/api/sessions/{session['id']}").json()["viewers"] == 0

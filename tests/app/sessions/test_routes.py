"""Sessions over REST, each with a real engine process."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

MASK = {"do": "set_mask", "base": 0x220000, "pages": 2, "rights": 1, "vtl": 0}


def start(client: TestClient, scenario: str, **wish: str) -> dict[str, Any]:
    answer = client.post("/api/sessions", json={"scenario": scenario} | wish)
    assert answer.status_code == 201, answer.text
    return answer.json()


def command(client: TestClient, session: dict[str, Any], **fields: object) -> int:
    return client.post(f"/api/sessions/{session['id']}/commands", json=fields).status_code


def wait_for_end(client: TestClient, session: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        ended = client.get(f"/api/sessions/{session['id']}").json()["ended"]
        if ended is not None:
            return ended
        time.sleep(0.05)
    raise AssertionError("it did not end")


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_a_session_is_a_process_of_its_own_until_it_is_closed(client: TestClient, saved: str) -> None:
    session = start(client, saved)
    assert session["scenario"] == saved
    assert (session["hypervisor"], session["ended"]) == ("sim", None)
    assert alive(session["pid"])
    assert os.getpgid(session["pid"]) == session["pid"]
    closed = client.delete(f"/api/sessions/{session['id']}").json()
    assert closed["ended"]["exit"] == 0
    assert not alive(session["pid"])


def test_commands_are_carried_out_or_refused_with_a_reason(client: TestClient, saved: str) -> None:
    session = start(client, saved)
    assert command(client, session, **MASK) == 200
    assert command(client, session, do="run") == 200
    assert command(client, session, do="pause") == 200
    refused = client.post(f"/api/sessions/{session['id']}/commands", json={"do": "delete_slot", "slot": 77})
    assert refused.status_code == 409
    assert "slot" in refused.json()["error"]


NO_COMMANDS = [
    b"",
    b"{}",
    b"[]",
    b'{"do": "explode"}',
    b'{"do": "set_mask"}',
    b'{"do": "move_slot", "slot": "1", "base": 0}',
    b'{"do": "move_slot", "slot": 1, "base": 1' + b"0" * 40 + b"}",
    b'{"do": "churn", "slot": 1, "rate": 1e999}',
    b"\xff",
    b"[" * 5000,
]


@pytest.mark.parametrize("body", NO_COMMANDS, ids=lambda body: str(body[:40]))
def test_what_is_no_command_is_422_and_harms_nobody(client: TestClient, saved: str, body: bytes) -> None:
    session = start(client, saved)
    assert client.post(f"/api/sessions/{session['id']}/commands", content=body).status_code == 422
    assert command(client, session, do="run") == 200


def test_another_s_session_does_not_exist(client: TestClient, saved: str) -> None:
    session = start(client, saved)
    client.cookies.clear()
    url = f"/api/sessions/{session['id']}"
    assert client.get(url).status_code == 404
    assert client.delete(url).status_code == 404
    assert client.post(f"{url}/commands", json={"do": "run"}).status_code == 404
    assert client.get("/api/sessions").json() == []
    assert alive(session["pid"])


def test_a_killed_engine_takes_nobody_along_and_is_remembered(client: TestClient, saved: str) -> None:
    victim, other = start(client, saved), start(client, saved)
    os.kill(victim["pid"], signal.SIGKILL)
    ended = wait_for_end(client, victim)
    assert (ended["signal"], ended["exit"]) == (signal.SIGKILL, None)
    assert "SIGKILL" in ended["reason"]
    assert command(client, victim, do="run") == 409
    assert command(client, other, do="run") == 200
    assert start(client, saved)["id"] != victim["id"]


def test_an_engine_that_hangs_can_still_be_closed(client: TestClient, saved: str) -> None:
    session = start(client, saved)
    os.kill(session["pid"], signal.SIGSTOP)
    closed = client.delete(f"/api/sessions/{session['id']}").json()
    assert closed["ended"]["signal"] == signal.SIGKILL
    assert not alive(session["pid"])


def test_engines_end_with_the_server(make_client: Callable[..., TestClient], scenario_text: str) -> None:
    client = make_client()
    saved = client.post("/api/scenarios", content=scenario_text).json()["id"]
    pids = [start(client, saved)["pid"] for _ in range(2)]
    client.__exit__()
    assert not any(map(alive, pids))


def test_too_many_of_one_owner_are_409_and_of_the_server_503(
    make_client: Callable[..., TestClient], scenario_text: str
) -> None:
    client = make_client(max_sessions=2, max_sessions_per_owner=1)
    wish = {"scenario": client.post("/api/scenarios", content=scenario_text).json()["id"]}
    statuses = [client.post("/api/sessions", json=wish).status_code for _ in range(2)]
    client.cookies.clear()
    statuses.append(client.post("/api/sessions", json=wish).status_code)
    client.cookies.clear()
    statuses.append(client.post("/api/sessions", json=wish).status_code)
    assert statuses == [201, 409, 201, 503]


def test_a_hypervisor_that_is_switched_off_is_503(make_client: Callable[..., TestClient], scenario_text: str) -> None:
    client = make_client(hypervisors=["sim"])
    saved = client.post("/api/scenarios", content=scenario_text).json()["id"]
    answer = client.post("/api/sessions", json={"scenario": saved, "hypervisor": "kvm"})
    assert answer.status_code == 503
    assert "RINGFENCE_HYPERVISORS" in answer.json()["error"]
    assert start(client, saved)["hypervisor"] == "sim"


def test_a_session_needs_a_scenario(client: TestClient) -> None:
    assert client.post("/api/sessions", json={"scenario": "nothing"}).status_code == 404
    assert client.post("/api/sessions", json={"scenario": "x", "hypervisor": "xen"}).status_code == 422
    assert "error" in client.post("/api/sessions", content=b"{").json()


def test_every_event_goes_into_a_log(
    make_client: Callable[..., TestClient], scenario_text: str, tmp_path: Path
) -> None:
    client = make_client()
    session = start(client, client.post("/api/scenarios", content=scenario_text).json()["id"])
    assert command(client, session, do="run") == 200
    client.delete(f"/api/sessions/{session['id']}")
    logs = list((tmp_path / "var" / "logs" / session["id"]).iterdir())
    assert sum(path.stat().st_size for path in logs) > 0


def test_the_engine_does_not_know_the_server_s_secrets(
    make_client: Callable[..., TestClient], scenario_text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RINGFENCE_SECRET_KEY", "s" * 40)
    client = make_client()
    session = start(client, client.post("/api/scenarios", content=scenario_text).json()["id"])
    assert b"RINGFENCE" not in Path(f"/proc/{session['pid']}/environ").read_bytes()


def test_nobody_watching_pauses_and_then_closes(make_client: Callable[..., TestClient], scenario_text: str) -> None:
    client = make_client(pause_after=0.1, close_after=2.5)
    session = start(client, client.post("/api/scenarios", content=scenario_text).json()["id"])
    assert command(client, session, do="run") == 200
    ended = wait_for_end(client, session)
    assert ended["exit"] == 0
    assert "nobody watched" in ended["reason"]


def test_the_guests_of_all_sessions_have_a_bound_on_their_memory(make_client, scenario_text: str) -> None:
    """Each session's claim counts, whether its guest has touched it or not."""
    client = make_client(max_ram_total=9 << 20)
    saved = client.post("/api/scenarios", content=scenario_text).json()["id"]
    first, _ = start(client, saved), start(client, saved)
    refused = client.post("/api/sessions", json={"scenario": saved})
    assert refused.status_code == 503
    assert "memory" in refused.json()["error"]
    client.delete(f"/api/sessions/{first['id']}")
    start(client, saved)


def test_without_a_place_for_its_log_a_session_is_refused(make_client, scenario_text: str, tmp_path: Path) -> None:
    client = make_client()
    saved = client.post("/api/scenarios", content=scenario_text).json()["id"]
    (tmp_path / "var" / "logs").write_text("in the way")
    refused = client.post("/api/sessions", json={"scenario": saved})
    assert refused.status_code == 503
    assert "log" in refused.json()["error"]


def test_when_memory_runs_out_engines_go_first(client: TestClient, saved: str) -> None:
    session = start(client, saved)
    assert Path(f"/proc/{session['pid']}/oom_score_adj").read_text().strip() == "1000"


def test_guest_memory_is_read_where_a_slot_is(client: TestClient, saved: str) -> None:
    """The hypercall page at 0x7000 begins with OUT 0xe8 and RET; behind the RAM is nothing."""
    session = start(client, saved)
    memory = f"/api/sessions/{session['id']}/memory"
    assert client.get(memory, params={"gpa": 0x7000, "size": 3}).json() == {"gpa": 0x7000, "data": "e7e8c3"}
    assert client.get(memory, params={"gpa": 0x400000}).status_code == 409
    for wrong in ({"gpa": -1}, {"gpa": 0, "size": 4097}, {"gpa": 0, "size": 0}, {"gpa": 1 << 60}, {}):
        assert client.get(memory, params=wrong).status_code == 422
    client.delete(f"/api/sessions/{session['id']}")
    assert client.get(memory, params={"gpa": 0x7000}).status_code in (404, 409)

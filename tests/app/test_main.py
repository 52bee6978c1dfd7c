"""The server as a whole: what every answer carries, and what is turned away at the door."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from app.children import Child, Limits, spawn
from app.doctor import service as doctor_service
from app.security.csp import HEADERS

JSON = {"accept": "application/json"}
PAGE = {"accept": "text/html,*/*"}


@pytest.mark.parametrize("path", ["/", "/api/scenarios", "/api/nothing", "/nothing", "/static/nothing"])
def test_every_answer_carries_the_security_headers(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


def test_a_newcomer_gets_a_cookie_once(client: TestClient) -> None:
    client.cookies.clear()
    first = client.get("/api/scenarios")
    assert "HttpOnly" in first.headers["set-cookie"]
    assert "set-cookie" not in client.get("/api/scenarios").headers


def test_a_forged_cookie_is_replaced(client: TestClient) -> None:
    client.cookies.clear()
    client.cookies.set("ringfence", "somebody.else")
    assert "set-cookie" in client.get("/api/scenarios").headers


@pytest.mark.parametrize(
    "headers", [{"sec-fetch-site": "cross-site"}, {"origin": "http://evil.example"}, {"origin": "null"}]
)
@pytest.mark.parametrize("path", ["/api/scenarios", "/api/sessions", "/edit/save", "/nothing"])
def test_a_write_from_elsewhere_is_refused(client: TestClient, path: str, headers: dict[str, str]) -> None:
    answer = client.post(path, headers=headers)
    assert answer.status_code == 403
    assert "error" in answer.json()


def test_reading_from_elsewhere_is_a_link(client: TestClient) -> None:
    assert client.get("/api/scenarios", headers={"sec-fetch-site": "cross-site"}).status_code == 200


def test_another_host_name_is_refused(client: TestClient) -> None:
    assert client.get("/api/scenarios", headers={"host": "evil.example"}).status_code == 400


@pytest.mark.parametrize(
    "path", ["/api/scenarios", "/api/scenarios/check", "/edit/save", "/edit/import", "/api/sessions"]
)
def test_a_huge_body_is_413(client: TestClient, path: str) -> None:
    answer = client.post(
        path, content=b"x" * (1 << 20), headers=JSON | {"content-type": "application/x-www-form-urlencoded"}
    )
    assert answer.status_code == 413
    assert "error" in answer.json()


def test_a_huge_body_of_unknown_length_is_413(client: TestClient) -> None:
    assert client.post("/api/scenarios", content=(b"x" * 4096 for _ in range(256))).status_code == 413


def test_a_program_gets_its_error_as_json_and_a_person_as_a_page(client: TestClient) -> None:
    assert "error" in client.get("/nothing", headers=JSON).json()
    page = client.get("/nothing", headers=PAGE)
    assert page.status_code == 404
    assert page.headers["content-type"].startswith("text/html")
    assert "error" in client.get("/api/nothing", headers=PAGE).json()


def test_whoever_hurries_is_told_to_wait(client: TestClient) -> None:
    client.get("/api/scenarios")
    answers = [client.delete("/api/sessions/none") for _ in range(130)]
    slowed = [answer for answer in answers if answer.status_code == 429]
    assert slowed
    assert slowed[0].headers["retry-after"] == "1"


def test_the_doctor_speaks(client: TestClient) -> None:
    report = client.get("/api/doctor").json()
    assert isinstance(report, dict)
    assert report


def test_many_who_ask_the_doctor_cost_one_process(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []

    async def counted(module: str, limits: Limits) -> Child:
        started.append(module)
        return await spawn(module, limits)

    monkeypatch.setattr(doctor_service, "spawn", counted)
    monkeypatch.setattr(doctor_service, "_FRESH", 30.0)
    with ThreadPoolExecutor(8) as pool:
        reports = list(pool.map(lambda _: client.get("/api/doctor").json(), range(8)))
    assert all(report == reports[0] for report in reports)
    assert len(started) <= 1

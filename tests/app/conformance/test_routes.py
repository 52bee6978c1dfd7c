"""The report over HTTP: to start it, to follow it, and what it says in the end."""

import time
from typing import Any

from fastapi.testclient import TestClient

from engine.conformance.catalogue import BY_ID


def report(client: TestClient) -> dict[str, Any]:
    found = client.get("/api/conformance")
    assert found.status_code == 200
    return dict(found.json())


def ended(client: TestClient) -> dict[str, Any]:
    end = time.monotonic() + 120
    while (found := report(client))["state"] == "running" and time.monotonic() < end:
        time.sleep(0.1)
    return found


def test_it_is_started_once_and_followed_to_its_end(make_client) -> None:
    client = make_client(hypervisors=["sim"])
    assert report(client)["state"] == "new"
    started = client.post("/api/conformance")
    assert started.status_code == 202
    assert started.json()["state"] == "running"
    found = ended(client)
    assert (found["state"], found["failed"]) == ("done", 0)
    assert [one["hypervisor"] for one in found["hypervisors"]] == ["sim"]
    assert [check["id"] for check in found["checks"]] == list(BY_ID)


def test_the_page_works_without_a_script(make_client) -> None:
    client = make_client(hypervisors=["sim"])
    assert "Nothing has been asked yet" in client.get("/conformance").text
    sent_on = client.post("/conformance/run")
    assert (sent_on.status_code, sent_on.headers["location"]) == (303, "/conformance")
    ended(client)
    assert "Nothing failed" in client.get("/conformance").text


def test_a_part_asks_for_itself_again_only_while_it_runs(make_client) -> None:
    client = make_client(hypervisors=["sim"])
    assert "hx-trigger" not in client.get("/conformance/report").text
    started = client.post("/conformance/run", headers={"hx-request": "true"})
    assert "<html" not in started.text
    assert "hx-trigger" in started.text
    ended(client)
    assert "hx-trigger" not in client.get("/conformance/report").text

"""Scenarios over REST: saved by content, read by anybody, refused with every reason."""

import resource
from pathlib import Path

import pytest
from fastapi.testclient import TestClient


def test_a_scenario_is_saved_and_read_back(client: TestClient, scenario_text: str) -> None:
    answer = client.post("/api/scenarios", content=scenario_text)
    assert answer.status_code == 201
    saved = answer.json()
    assert saved["url"] == f"/s/{saved['id']}"
    read = client.get(f"/api/scenarios/{saved['id']}").json()
    assert read["name"] == "a fence to test"
    assert read["scenario"]["ram"] == 4 << 20
    assert read["scenario"]["seed"] == 1, "defaults are written out"


def test_the_same_content_has_the_same_link(client: TestClient, scenario_text: str) -> None:
    """Also when it is written in another way: as text that was exported, or as JSON."""
    first = client.post("/api/scenarios", content=scenario_text).json()["id"]
    exported = client.get(f"/api/scenarios/{first}", params={"format": "yaml"})
    assert exported.headers["content-type"].startswith("application/yaml")
    as_json = client.get(f"/s/{first}/scenario.json").content
    again = [client.post("/api/scenarios", content=content).json()["id"] for content in (exported.content, as_json)]
    assert again == [first, first]


def test_a_fork_keeps_its_parent_and_the_parent_stays(client: TestClient, saved: str, scenario_text: str) -> None:
    before = client.get(f"/api/scenarios/{saved}").json()
    fork = scenario_text.replace("pages: 4", "pages: 8")
    forked = client.post("/api/scenarios", params={"parent": saved}, content=fork).json()["id"]
    assert forked != saved
    assert client.get(f"/api/scenarios/{forked}").json()["parent_id"] == saved
    assert client.get(f"/api/scenarios/{saved}").json() == before


def test_a_parent_that_does_not_exist_is_none(client: TestClient, scenario_text: str) -> None:
    answer = client.post("/api/scenarios", params={"parent": "nothing"}, content=scenario_text)
    assert client.get(f"/api/scenarios/{answer.json()['id']}").json()["parent_id"] is None


def test_every_problem_is_named_at_once(client: TestClient, scenario_text: str) -> None:
    bad = (
        scenario_text.replace("seed", "sead")
        .replace("ram: 4MiB", "ram: 4MiB\nfoo: 1")
        .replace("0x200000, size", "0x200001, size")
    )
    answer = client.post("/api/scenarios", content=bad)
    assert answer.status_code == 422
    paths = {problem["path"] for problem in answer.json()["problems"]}
    assert {"foo", "slots[1].base"} <= paths


@pytest.mark.parametrize(
    "rubbish", [b"", b"\xff\xfe", b"[" * 1000, b"- - -", b"a: &x [*x]", b"!!python/object:os.system {}", b"\0"]
)
def test_rubbish_is_a_problem_and_not_a_failure(client: TestClient, rubbish: bytes) -> None:
    answer = client.post("/api/scenarios", content=rubbish)
    assert answer.status_code == 422
    assert answer.json()["problems"]


def test_a_syntax_error_in_the_assembly_names_vcpu_and_line(client: TestClient, scenario_text: str) -> None:
    bad = scenario_text.replace(
        "- {guest: touch, params: {base: 0x200000, pages: 64}}", "- asm: |\n      nop\n      movv rax, 1\n"
    )
    problem = client.post("/api/scenarios", content=bad).json()["problems"][0]
    assert problem["path"] == "vcpus[0].asm"
    assert "2" in problem["rule"] + problem["value"]


def test_a_check_shows_the_code_and_stores_nothing(client: TestClient, scenario_text: str) -> None:
    unsaved = scenario_text.replace("a fence to test", "only looked at")
    checked = client.post("/api/scenarios/check", content=unsaved).json()
    assert checked["problems"] == []
    assert checked["listings"][0]["guest"] == "touch"
    assert checked["listings"][0]["lines"][0]["code"]
    assert client.get(f"/api/scenarios/{checked['id']}").status_code == 404


def test_a_check_of_a_bad_one_has_no_id(client: TestClient) -> None:
    checked = client.post("/api/scenarios/check", content="name: x").json()
    assert checked["id"] is None
    assert checked["problems"]


def test_the_list_has_the_built_in_ones_and_one_s_own(client: TestClient, saved: str) -> None:
    listed = client.get("/api/scenarios").json()
    assert len(listed["builtins"]) >= 3
    assert [one["id"] for one in listed["own"]] == [saved]
    client.cookies.clear()
    assert client.get("/api/scenarios").json()["own"] == []


def test_a_scenario_that_is_too_long_is_413(client: TestClient) -> None:
    assert client.post("/api/scenarios", content=b"#" * (64 << 10) + b"#").status_code == 413


def test_the_schema_is_published(client: TestClient) -> None:
    schema = client.get("/api/scenario.schema.json").json()
    assert {"name", "ram", "slots", "vcpus", "masks"} <= set(schema["properties"])


def test_the_api_describes_itself(client: TestClient) -> None:
    paths = client.get("/api/openapi.json").json()["paths"]
    assert {"/api/scenarios", "/api/sessions/{session_id}/commands", "/api/doctor"} <= set(paths)
    assert "/s/{scenario_id}" not in paths


def test_what_does_not_fit_on_the_disk_is_not_acknowledged(make_client, scenario_text: str, tmp_path: Path) -> None:
    """No file may grow, as on a full disk: the answer says that nothing was saved, and the server goes on."""
    client = make_client()
    log = tmp_path / "var" / "ringfence.sqlite3-wal"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    client.post("/api/scenarios/check", content=scenario_text)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size, hard))
    try:
        refused = client.post("/api/scenarios", content=scenario_text)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert refused.status_code == 503
    assert "nothing was saved" in refused.json()["error"]
    assert client.post("/api/scenarios", content=scenario_text).status_code == 201

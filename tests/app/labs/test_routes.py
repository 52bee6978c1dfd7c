"""The pages of the labs' texts."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

LABS = sorted(path.parent.name for path in Path("labs").glob("*/lab.md"))


@pytest.mark.parametrize("name", LABS)
def test_every_lab_has_a_page_that_leads_to_its_machine(client: TestClient, name: str) -> None:
    page = client.get(f"/labs/{name}")
    assert page.status_code == 200
    title = (Path("labs") / name / "lab.md").read_text().split("\n")[0].removeprefix("# ")
    assert f"<h1>{title}</h1>" in page.text
    machine = page.text.partition('go" href="')[2].partition('"')[0]
    assert f'<a class="button" href="/labs/{name}"' in client.get(machine).text


@pytest.mark.parametrize("name", ["nothing", "%2e%2e", "kernel-1-alone%2flab.md"])
def test_what_is_no_lab_is_404(client: TestClient, name: str) -> None:
    assert client.get(f"/labs/{name}").status_code == 404


def test_what_was_made_from_a_lab_keeps_the_way_to_its_text(client: TestClient) -> None:
    machine = client.get("/labs/count-with-lock").text.partition('go" href="')[2].partition('"')[0]
    text = client.get(f"{machine}/scenario.yaml").text.replace("name: Count", "name: My count")
    saved = client.post("/edit/save", data={"yaml": text, "parent": machine.removeprefix("/s/")}).headers["location"]
    assert 'href="/labs/count-with-lock"' in client.get(saved).text


def test_a_scenario_of_ones_own_has_none(client: TestClient, saved: str) -> None:
    assert "/labs/" not in client.get(f"/s/{saved}").text

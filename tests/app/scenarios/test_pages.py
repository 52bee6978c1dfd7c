"""The pages and the editor's forms."""

import pytest
from fastapi.testclient import TestClient

HTMX = {"hx-request": "true"}


def form(text: str, parent: str) -> dict[str, str]:
    return {"yaml": text, "parent": parent}


@pytest.mark.parametrize("path", ["/", "/scenarios", "/help", "/guests"])
def test_the_pages_are_there(client: TestClient, path: str) -> None:
    page = client.get(path)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"


def test_a_saved_scenario_has_a_lab_an_editor_and_two_files(client: TestClient, saved: str) -> None:
    assert f'data-scenario="{saved}"' in client.get(f"/s/{saved}").text
    assert "guest: touch" in client.get(f"/s/{saved}/edit").text
    for kind in ("yaml", "json"):
        file = client.get(f"/s/{saved}/scenario.{kind}")
        assert f'filename="{saved}.{kind}"' in file.headers["content-disposition"]
        assert client.post("/api/scenarios", content=file.content).json()["id"] == saved


@pytest.mark.parametrize(
    "path", ["/s/nothing", "/s/nothing/edit", "/s/nothing/scenario.yaml", "/s/nothing/scenario.json"]
)
def test_what_was_never_saved_is_404(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_saving_leads_to_the_new_link(client: TestClient, saved: str, scenario_text: str) -> None:
    fork = form(scenario_text.replace("pages: 4", "pages: 8"), saved)
    by_htmx = client.post("/edit/save", data=fork, headers=HTMX)
    plain = client.post("/edit/save", data=fork)
    assert plain.status_code == 303
    assert by_htmx.headers["hx-redirect"] == plain.headers["location"]
    forked = plain.headers["location"].removeprefix("/s/")
    assert client.get(f"/api/scenarios/{forked}").json()["parent_id"] == saved


def test_what_cannot_be_saved_says_why_and_stays_typed(client: TestClient, saved: str, scenario_text: str) -> None:
    bad = form(scenario_text.replace("4MiB", "4GoB") + "# mine <b>\n", saved)
    part = client.post("/edit/save", data=bad, headers=HTMX)
    assert part.status_code == 422
    assert "4GoB" in part.text
    assert "<textarea" not in part.text
    whole = client.post("/edit/save", data=bad)
    assert whole.status_code == 422
    assert "# mine &lt;b&gt;" in whole.text


def test_a_check_shows_problems_or_code(client: TestClient, saved: str, scenario_text: str) -> None:
    good = client.post("/edit/check", data=form(scenario_text, saved), headers=HTMX)
    assert "mov" in good.text
    bad = client.post("/edit/check", data=form("ram: 12x", saved), headers=HTMX)
    assert "12x" in bad.text


def test_an_imported_file_fills_the_editor(client: TestClient, saved: str, scenario_text: str) -> None:
    text = scenario_text.replace("a fence to test", "from a file")
    page = client.post("/edit/import", data={"parent": saved}, files={"file": ("x.yaml", text.encode())})
    assert page.status_code == 200
    assert "name: from a file" in page.text
    assert f"/s/{saved}" in page.text


def test_an_import_that_is_no_text_is_a_problem_on_the_page(client: TestClient, saved: str) -> None:
    page = client.post("/edit/import", data={"parent": saved}, files={"file": ("x.yaml", b"\xff\xfe\0<script>")})
    assert page.status_code == 200
    assert "<script>" not in page.text.split("</head>")[1].replace('<script type="module"', "")


def test_an_import_that_is_too_long_is_413(client: TestClient, saved: str) -> None:
    file = {"file": ("x.yaml", b"#" * (65 << 10))}
    assert client.post("/edit/import", data={"parent": saved}, files=file).status_code == 413


def test_an_error_comes_as_a_part_of_the_page_where_htmx_puts_it(client: TestClient) -> None:
    long = client.post("/edit/save", data=form("#" * (65 << 10), ""), headers=HTMX | {"accept": "text/html"})
    assert long.status_code == 422
    assert "<html" not in long.text
    assert "65536" in long.text


def test_names_from_people_are_shown_as_text(client: TestClient, scenario_text: str) -> None:
    text = scenario_text.replace("a fence to test", '"<img src=x onerror=alert(1)>"')
    saved = client.post("/api/scenarios", content=text).json()["id"]
    for path in (f"/s/{saved}", f"/s/{saved}/edit", "/scenarios"):
        assert "<img src=x" not in client.get(path).text

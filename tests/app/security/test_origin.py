"""Who may write: our own pages, and programs that are no browsers."""

import pytest
from starlette.datastructures import Headers

from app.security.origin import same_origin

HOST = "127.0.0.1:8000"


def allowed(scheme: str = "http", **headers: str) -> bool:
    return same_origin(
        Headers({"host": HOST} | {name.replace("_", "-"): text for name, text in headers.items()}), scheme
    )


@pytest.mark.parametrize(
    ("site", "verdict"), [("same-origin", True), ("none", True), ("same-site", False), ("cross-site", False)]
)
def test_the_browser_s_own_word_decides(site: str, verdict: bool) -> None:
    assert allowed(sec_fetch_site=site) is verdict


def test_it_decides_even_against_a_fitting_origin() -> None:
    assert not allowed(sec_fetch_site="cross-site", origin=f"http://{HOST}")


@pytest.mark.parametrize(
    ("origin", "verdict"),
    [
        (f"http://{HOST}", True),
        ("HTTP://127.0.0.1:8000", True),
        ("http://127.0.0.1", False),
        ("https://127.0.0.1:8000", False),
        ("http://localhost:8000", False),
        ("http://127.0.0.1:8000.evil.example", False),
        ("http://evil.example", False),
        ("http://evil.example:99999", False),
        ("null", False),
        ("", False),
    ],
)
def test_without_it_scheme_host_and_port_must_fit(origin: str, verdict: bool) -> None:
    assert allowed(origin=origin) is verdict


def test_the_usual_port_may_be_left_out() -> None:
    headers = Headers({"host": "lab.example", "origin": "https://lab.example:443"})
    assert same_origin(headers, "https")


def test_a_program_says_neither_and_may() -> None:
    assert allowed()


def test_no_host_fits_no_origin() -> None:
    assert not same_origin(Headers({"origin": "null"}), "http")

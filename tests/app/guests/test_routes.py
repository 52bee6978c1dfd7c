"""The page of built-in guests."""

import html
import re

import pytest
from fastapi.testclient import TestClient

from app.guests.view import BASE
from engine.machine.guests import GUESTS, Guest


@pytest.mark.parametrize("guest", GUESTS.values(), ids=GUESTS)
def test_every_guest_can_be_read_whole(client: TestClient, guest: Guest) -> None:
    page = client.get("/guests").text
    found = re.search(f'aria-label="Assembly of {guest.name}">(.*?)</pre>', page, re.S)
    assert found
    shown = html.unescape(re.sub("</?i>", "", found[1]))
    assert shown.split("\n")[:-1] == guest.text({}, BASE).strip("\n").split("\n")


def test_the_editors_listing_leads_there(client: TestClient, scenario_text: str) -> None:
    part = client.post("/edit/check", data={"yaml": scenario_text}, headers={"hx-request": "true"})
    assert '<a href="/guests#touch">' in part.text

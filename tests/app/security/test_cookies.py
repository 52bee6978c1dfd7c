"""The cookie holds a random id that only we can have signed."""

from app.security.cookies import COOKIE, Owners


def test_an_owner_comes_back_from_its_cookie() -> None:
    owners = Owners("a key")
    assert owners.owner(owners.cookie("somebody")) == "somebody"


def test_nobody_else_s_signature_counts() -> None:
    owners = Owners("a key")
    signed = owners.cookie("somebody")
    assert owners.owner(None) is None
    assert owners.owner("somebody") is None
    assert owners.owner(signed.replace("somebody", "somebodx")) is None
    assert owners.owner(Owners("another key").cookie("somebody")) is None


def test_scripts_and_other_sites_do_not_get_it() -> None:
    header = Owners("a key").header("somebody", secure=False)
    assert header.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(header.split("; "))
    assert "Secure" not in header
    assert Owners("a key").header("somebody", secure=True).endswith("; Secure")

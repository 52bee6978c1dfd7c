"""Settings come from RINGFENCE_ variables; the secret key is made once and belongs to its owner alone."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings


def test_the_defaults_are_for_this_machine_alone() -> None:
    settings = Settings()
    assert settings.host == "127.0.0.1"
    assert settings.database.startswith("sqlite+aiosqlite:///")


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGFENCE_PORT", "9001")
    monkeypatch.setenv("RINGFENCE_HYPERVISORS", '["sim"]')
    monkeypatch.setenv("RINGFENCE_ALLOWED_HOSTS", '["lab.example"]')
    settings = Settings()
    assert (settings.port, settings.hypervisors) == (9001, {"sim"})
    assert settings.allowed_hosts == ("lab.example",)


def test_the_short_name_of_postgresql_is_understood() -> None:
    assert Settings(database_url="postgres://u@h/d").database == "postgresql://u@h/d"


@pytest.mark.parametrize(
    "wrong", [{"port": 70000}, {"hypervisors": []}, {"database_url": "mysql://u@h/d"}, {"max_sessions": 0}]
)
def test_nonsense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(wrong)


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path / "var")
    key = settings.signing_key()
    assert len(key) >= 32
    assert settings.signing_key() == key
    assert (tmp_path / "var" / "secret.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "var").iterdir()] == ["secret.key"]


def test_a_key_that_was_given_is_written_nowhere(tmp_path: Path) -> None:
    settings = Settings.model_validate({"var": tmp_path / "var", "secret_key": "x" * 40})
    assert settings.signing_key() == "x" * 40
    assert not (tmp_path / "var").exists()
    assert "x" * 40 not in repr(settings)


def test_an_empty_key_file_is_not_a_key(tmp_path: Path) -> None:
    (tmp_path / "secret.key").touch()
    with pytest.raises(ValueError, match=r"secret\.key"):
        Settings(var=tmp_path).signing_key()


def test_all_guests_together_have_no_more_than_half_the_host_and_no_less_than_one() -> None:
    assert Settings(max_ram_total=1 << 30).ram_total == 1 << 30
    assert Settings(max_ram=1 << 20).ram_total > 1 << 20
    assert Settings(max_ram=4 << 30).ram_total >= 4 << 30

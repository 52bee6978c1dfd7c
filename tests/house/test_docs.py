"""What an operator or a reader can set, run or send is named where they look for it."""

import re
from pathlib import Path

import msgspec
import pytest
import yaml

from app.settings import Settings
from engine.machine.guests import GUESTS, Guest
from engine.model import commands, events, exits
from engine.model.scenario import Scenario
from tests.house.tree import ROOT, tracked

LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)")


def doc(name: str) -> str:
    return (ROOT / name).read_text()


def all_docs() -> str:
    return "".join(path.read_text() for path in sorted((ROOT / "docs").glob("*.md")))


@pytest.mark.parametrize("setting", list(Settings.model_fields))
def test_every_setting_is_documented(setting: str) -> None:
    assert f"RINGFENCE_{setting.upper()}" in doc("docs/settings.md")


def test_every_documented_setting_exists() -> None:
    named = set(re.findall(r"RINGFENCE_[A-Z_]+[A-Z]", doc("docs/settings.md")))
    assert named == {f"RINGFENCE_{name.upper()}" for name in Settings.model_fields}


@pytest.mark.parametrize("command", commands.AnyCommand.__args__, ids=lambda command: command.__name__)
def test_every_command_is_documented(command: type[msgspec.Struct]) -> None:
    assert f"`{command.__struct_config__.tag}`" in all_docs()


@pytest.mark.parametrize("kind", exits.AnyExit.__args__, ids=lambda kind: kind.__name__)
def test_every_exit_kind_is_documented(kind: type[msgspec.Struct]) -> None:
    assert f"`{kind.__struct_config__.tag}`" in doc("docs/events.md")


@pytest.mark.parametrize("kind", events.AnyEvent.__args__, ids=lambda kind: kind.__name__)
def test_every_event_is_documented(kind: type[msgspec.Struct]) -> None:
    assert f"| `{kind.__struct_config__.tag}` |" in doc("docs/events.md")


@pytest.mark.parametrize("field", Scenario.__struct_fields__)
def test_every_scenario_field_is_documented(field: str) -> None:
    assert f"`{field}`" in doc("docs/scenario.md")


@pytest.mark.parametrize("guest", GUESTS.values(), ids=GUESTS)
def test_every_guest_is_documented_with_its_parameters(guest: Guest) -> None:
    text = doc("docs/guest.md").partition(f"\n**{guest.name}**: ")[2].partition("\n**")[0]
    about, *table = text.split("\n\n")
    assert " ".join(about.split()) == guest.about
    rows = [f"| `{p.name}` | {p.default:#x} | {p.low:#x} | {p.high:#x} | {p.meaning}" for p in guest.parameters]
    assert [row for row in rows if row not in table[0]] == []


@pytest.mark.parametrize("verb", ["serve", "run", "doctor", "conformance"])
def test_every_verb_is_in_the_readme(verb: str) -> None:
    assert f"ringfence {verb}" in doc("README.md")


def test_the_readme_maps_every_folder() -> None:
    folders = {path.parts[0] for path in tracked() if len(path.parts) > 1 and not path.parts[0].startswith(".")}
    text = doc("README.md")
    assert [folder for folder in sorted(folders) if f"`{folder}/" not in text] == []


@pytest.mark.parametrize("page", [path for path in tracked() if path.suffix == ".md"], ids=str)
def test_links_between_files_lead_somewhere(page: Path) -> None:
    targets = [ROOT / page.parent / link for link in LINK.findall(doc(str(page)))]
    assert [target for target in targets if not target.exists()] == []


@pytest.mark.parametrize("name", ["docker-compose.yml", "docker-compose.kvm.yml"])
def test_a_compose_file_parses(name: str) -> None:
    services = yaml.safe_load(doc(name))["services"]
    assert "lab" in services


def test_the_kvm_override_only_adds_to_a_service_that_exists() -> None:
    whole = yaml.safe_load(doc("docker-compose.yml"))["services"]
    added = yaml.safe_load(doc("docker-compose.kvm.yml"))["services"]
    assert set(added) <= set(whole)


def test_every_row_of_what_differs_has_a_number_of_its_own_and_a_test_of_that_number() -> None:
    rows = re.findall(r"^\| (\d+) \|", doc("docs/differences.md"), re.M)
    assert rows == [str(number) for number in range(1, len(rows) + 1)]
    texts = "".join(path.read_text() for path in (ROOT / "tests/engine").rglob("test_differences*.py"))
    assert set(rows) == set(re.findall(r"^def test_(\d+)_", texts, re.M))

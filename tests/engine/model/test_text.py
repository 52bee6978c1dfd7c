"""The laws of a scenario's texts: canonical bytes and YAML read back, ids name content, the schema agrees."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from engine.model.problems import ScenarioProblems
from engine.model.scenario import Scenario
from engine.model.schema import scenario_schema
from engine.model.text import LATER, canonical, content_id, from_canonical, parse_scenario
from engine.model.yaml_text import to_yaml

LABS = sorted(Path(__file__).parents[3].glob("labs/*/scenario.yaml"))
EXAMPLE = """
name: VTL1 fences a page
ram: 4MiB
slots:
  - {slot: 0, base: 0x0, size: 2MiB}
  - {slot: 1, base: 0x200000, size: 2MiB, flags: [log]}
vcpus:
  - {guest: touch, params: {base: 0x200000, pages: 64}}
"""
PAGE = 0x1000
RAM_PAGES = 4096
printable = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.just(" "), max_size=30)
names = printable.filter(lambda text: bool(text.strip()))
assembly = st.text(st.sampled_from("abc: ;,[]#'\"\n\t0x19-"), min_size=1, max_size=60).filter(lambda text: text.strip())
counts = st.integers(1, 1 << 40)
seconds = st.floats(0.001, 1e6, allow_nan=False).map(lambda value: round(value, 3))
mask_texts = st.sampled_from(["none", "R", "RW", "RX", "RWX"])
bases = st.integers(32, RAM_PAGES - 64).map(lambda gfn: gfn * PAGE)
masks = st.fixed_dictionaries(
    {"base": bases, "pages": st.integers(1, 64), "mask": mask_texts}, optional={"vtl": st.just(0)}
)
params = st.dictionaries(st.sampled_from(["base", "pages"]), counts)
vtl1 = st.one_of(
    st.fixed_dictionaries({"base": bases, "guest": st.just("monitor")}, optional={"params": params}),
    st.fixed_dictionaries({"base": bases, "asm": assembly}),
)
waits = st.fixed_dictionaries({}, optional={"waits": st.booleans(), "vtl1": vtl1})
where = st.one_of(st.just({}), st.just({"vtl": 0}), st.just({"vtl": 1}), waits)
vcpus = st.builds(
    dict.__or__,
    st.one_of(
        st.fixed_dictionaries({"guest": st.sampled_from(["touch", "spin"])}, optional={"params": params}),
        st.fixed_dictionaries({"asm": assembly}),
    ),
    where,
)
moments = st.one_of(
    st.fixed_dictionaries({"exits": counts}),
    st.fixed_dictionaries({"protection": counts}),
    st.fixed_dictionaries({"instructions": counts}),
    st.fixed_dictionaries({"seconds": seconds}),
)
deeds = st.one_of(
    masks.map(lambda mask: {"do": "set_mask", **mask}),
    st.just({"do": "delete_slot", "slot": 1}),
    bases.map(lambda base: {"do": "move_slot", "slot": 1, "base": base}),
    st.just({"do": "set_slot", "slot": 2, "base": 0x800000, "size": "1MiB", "offset": 0x900000, "flags": ["log"]}),
    st.just({"do": "churn", "slot": 1, "rate": 50}),
    st.sampled_from(["complete", "drop", "halt", "relax"]).map(lambda p: {"do": "set_policy", "on_protection": p}),
    st.sampled_from([None, 10, 0.5]).map(lambda speed: {"do": "set_speed", "exits_per_second": speed}),
    st.just({"do": "harvest"}),
    st.just({"do": "pause"}),
)
entries = st.tuples(moments, deeds).map(lambda pair: {"after": pair[0], **pair[1]})
documents = st.fixed_dictionaries(
    {
        "name": names,
        "ram": st.just("16MiB"),
        "slots": st.just([{"slot": 0, "base": 0, "size": "4MiB"}, {"slot": 1, "base": 0x400000, "size": "4MiB"}]),
        "vcpus": st.lists(vcpus, min_size=1, max_size=4).filter(lambda all: any("waits" not in one for one in all)),
    },
    optional={
        "about": printable,
        "seed": st.integers(0, (1 << 63) - 1),
        "hypervisor": st.sampled_from(["auto", "kvm", "sim"]),
        "masks": st.lists(masks, max_size=4),
        "on_protection": st.sampled_from(["complete", "drop", "halt", "relax"]),
        "dirty": st.sampled_from(["log", "clear", "ring"]),
        "vtls": st.integers(2, 16),
        "vsm_profile": st.sampled_from(["tlfs", "openvmm", "kut-vsm"]),
        "hyperv": st.sampled_from(["vmm", "kernel"]),
        "script": st.lists(entries, max_size=4),
        "limits": st.fixed_dictionaries({}, optional={"exits": counts, "instructions": counts, "seconds": seconds}),
    },
)


@given(documents)
def test_canonical_bytes_read_back(document: dict[str, Any]) -> None:
    scenario = parse_scenario(document)
    assert from_canonical(canonical(scenario)) == scenario


@given(documents)
def test_yaml_reads_back_as_the_same_scenario(document: dict[str, Any]) -> None:
    scenario = parse_scenario(document)
    assert parse_scenario(to_yaml(scenario)) == scenario


@given(documents)
def test_what_is_read_fits_the_published_schema(document: dict[str, Any]) -> None:
    parse_scenario(document)
    jsonschema.validate(document, scenario_schema())


@pytest.mark.parametrize("lab", LABS, ids=lambda path: path.parent.name)
def test_every_lab_reads_back_and_fits_the_schema(lab: Path) -> None:
    scenario = parse_scenario(lab.read_bytes())
    assert parse_scenario(to_yaml(scenario)) == scenario
    jsonschema.validate(yaml.safe_load(lab.read_text()), scenario_schema())


def test_yaml_json_and_values_are_one_scenario_with_one_id() -> None:
    values = yaml.safe_load(EXAMPLE)
    ids = {content_id(parse_scenario(form)) for form in (EXAMPLE, json.dumps(values), values)}
    assert len(ids) == 1


def test_a_default_written_out_does_not_change_the_id() -> None:
    assert content_id(parse_scenario(EXAMPLE + "seed: 1\n")) == content_id(parse_scenario(EXAMPLE))
    assert content_id(parse_scenario(EXAMPLE + "seed: 2\n")) != content_id(parse_scenario(EXAMPLE))


def test_canonical_bytes_spell_out_every_field() -> None:
    """What a saved link shows must not hang on a default that a later version may change."""
    told = msgspec.json.decode(canonical(parse_scenario(EXAMPLE)))
    assert set(told) == {field.name for field in msgspec.structs.fields(Scenario)} - set(LATER)


def test_a_field_that_came_later_is_told_once_it_says_something_new() -> None:
    """Otherwise every id from before it would be another."""
    assert content_id(parse_scenario(EXAMPLE + "dirty: log\n")) == content_id(parse_scenario(EXAMPLE))
    ring = parse_scenario(EXAMPLE + "dirty: ring\n")
    assert msgspec.json.decode(canonical(ring))["dirty"] == "ring"
    assert from_canonical(canonical(ring)) == ring


def test_the_id_of_a_saved_scenario_never_changes() -> None:
    """If this fails, every link saved so far is dead."""
    assert content_id(parse_scenario(EXAMPLE)) == "pj5ligkmhv3dq3cazazv"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (("ram: 4MiB", "ram: 5000"), "ram"),
        (("slot: 1, base", "slot: 0, base"), "slots[1].slot"),
        (("size: 2MiB, flags", "size: 4MiB, flags"), "slots[1].base"),
        (("base: 0x0,", "base: 0x1000,"), "slots"),
        (("flags: [log]", "flags: [lock]"), "slots[1].flags[0]"),
        (("guest: touch,", "guest: touch, asm: hlt,"), "vcpus[0]"),
        (("vcpus:", "masks: [{base: 0x1000, pages: 1, mask: R}]\nvcpus:"), "masks[0].base"),
        (("vcpus:", "masks: [{base: 0x200000, pages: 1, mask: WX}]\nvcpus:"), "masks[0].mask"),
        (("vcpus:", "script: [{after: {exits: 1}, do: explode}]\nvcpus:"), "script[0].do"),
        (("{guest: touch, params: {base: 0x200000, pages: 64}}", "{}"), "vcpus[0]"),
        (("vcpus:", "script: [{after: {}, do: pause}]\nvcpus:"), "script[0].after"),
    ],
)
def test_a_problem_names_its_field(change: tuple[str, str], path: str) -> None:
    with pytest.raises(ScenarioProblems) as found:
        parse_scenario(EXAMPLE.replace(*change))
    assert path in [problem.path for problem in found.value.problems]


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ScenarioProblems) as found:
        parse_scenario("name: ''\nram: lots\nslots: 7\nvcpus: []\ncolour: red")
    assert {problem.path for problem in found.value.problems} >= {"name", "ram", "slots", "colour"}

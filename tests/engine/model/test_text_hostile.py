"""Scenarios from strangers: whatever comes in, ScenarioProblems comes out, soon, and nothing else."""

import contextlib
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.problems import ScenarioProblems
from engine.model.text import MOST_TOLD, parse_scenario

GOOD = {
    "name": "x",
    "ram": "4MiB",
    "slots": [{"slot": 0, "base": 0, "size": "4MiB"}],
    "vcpus": [{"guest": "spin"}],
    "masks": [{"base": "2MiB", "pages": 1, "mask": "R"}],
    "script": [{"after": {"exits": 1}, "do": "set_mask", "base": "2MiB", "pages": 1, "mask": "RWX"}],
    "limits": {"seconds": 1},
}
HEAD = "name: x\nram: 4MiB\nslots: [{slot: 0, base: 0, size: 4MiB}]\nvcpus: [{guest: spin}]\n"


def problems(text: Any) -> list[str]:
    started = time.monotonic()
    with pytest.raises(ScenarioProblems) as caught:
        parse_scenario(text)
    assert time.monotonic() - started < 5
    return [str(problem) for problem in caught.value.problems]


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[" * 60_000, "nested deeper than 12"),
        ("- " * 30_000, "nested deeper than 12"),
        ('{"name":' + "[" * 30_000 + "]" * 30_000 + "}", "recursion"),
        ("a: &a [x, x]\nb: [*a, *a]", "aliases are not read"),
        ("&a [*a]", "aliases are not read"),
        ("!!python/object/apply:os.system ['id']", "could not determine a constructor"),
        ("name: a\nname: b", "name is given twice"),
        (bytes(range(256)), "not UTF-8"),
        ("name: x".encode("utf-16"), "not UTF-8"),
        ("name: x\0y", "special characters"),
        ("name: \ud800", "special characters"),
        ("x" * (65 << 10), "at most 65536"),
        ("", "must be a mapping"),
        ("[]", "must be a mapping"),
    ],
    ids=range(14),
)
def test_a_text_that_is_refused_whole(text: str | bytes, told: str) -> None:
    (problem,) = problems(text)
    assert told in problem


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("limits: {seconds: .nan}", "limits.seconds: nan"),
        ("limits: {seconds: .inf}", "limits.seconds: inf"),
        ("limits: {seconds: 1e999}", "limits.seconds: '1e999'"),
        ("limits: {seconds: 1.0e+999}", "limits.seconds: inf"),
        ("seed: " + "9" * 60_000, "seed: '999"),
        ("seed: 0x" + "f" * 60_000, "seed: 0xfff"),
        ("seed: -1", "seed: -1"),
        ("seed: yes", "seed: True"),
        ("about: {a: b}", "about: a mapping"),
        ("masks: 2020-01-01", "masks: '2020-01-01'"),
    ],
)
def test_a_number_beyond_reason_is_named_with_its_field(field: str, told: str) -> None:
    (problem,) = problems(HEAD + field)
    assert problem.startswith(told)


@pytest.mark.parametrize(
    ("vcpus", "told"),
    [
        ([{"guest": "spin", "waits": True}], "vcpus"),
        ([{"guest": "spin"}, {"guest": "spin", "waits": 1}], "vcpus[1].waits: 1"),
        ([{"guest": "spin"}, {"guest": "spin", "waits": True, "vtl": 1}], "vcpus[1].waits: True"),
    ],
    ids=["nobody to start it", "no boolean", "in VTL1"],
)
def test_a_processor_that_cannot_wait(vcpus: list[dict[str, object]], told: str) -> None:
    (problem,) = problems({**GOOD, "vcpus": vcpus})
    assert problem.startswith(told)


def test_a_name_that_looks_like_a_date_is_a_name() -> None:
    assert parse_scenario(HEAD.replace("name: x", "name: 2020-13-01")).name == "2020-13-01"


def test_thousands_of_problems_are_told_in_part() -> None:
    told = problems("\n".join(f"field{n}: 1" for n in range(5000)))
    assert len(told) == MOST_TOLD + 1
    assert told[-1].endswith("more problems")


def test_deep_plain_values_are_shown_short() -> None:
    (problem,) = problems({**GOOD, "name": nested(50_000)})
    assert problem == "name: a list: must be text"


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(-(1 << 70), 1 << 70),
        st.floats(),
        st.text(max_size=10),
        st.binary(max_size=5),
        st.sampled_from(["2MiB", "0x200000", "RWX", "none", "set_mask", "churn", "log", "spin", "hlt"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(["slot", "base", "after", "do", "mask", "exits", "asm", "guest", "params"]), inner
        ),
        st.dictionaries(st.text(max_size=3), inner, max_size=3),
    ),
    max_leaves=8,
)


def replaced(value: Any, path: list[int], by: Any) -> Any:
    """`value` with the part that `path` leads to replaced."""
    if not path or not isinstance(value, dict | list) or not value:
        return by
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[path[0] % len(keys)]
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[key] = replaced(value[key], path[1:], by)
    return changed


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=4), VALUES)
def test_any_value_at_any_place(path: list[int], value: Any) -> None:
    with contextlib.suppress(ScenarioProblems):
        parse_scenario(replaced(GOOD, path, value))


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=200), st.binary(max_size=200)))
def test_any_text(text: str | bytes) -> None:
    with contextlib.suppress(ScenarioProblems):
        parse_scenario(text)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(HEAD)), st.integers(0, 20), st.text(alphabet="{}[]:,-&*!?|>'\"%@` \n\t#0x9", max_size=12))
def test_a_good_text_with_a_hole_or_a_patch(at: int, cut: int, patch: str) -> None:
    with contextlib.suppress(ScenarioProblems):
        parse_scenario(HEAD[:at] + patch + HEAD[at + cut :])

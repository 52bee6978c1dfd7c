"""From YAML or JSON text to plain values, safely: bounded size and depth, no aliases, no duplicate keys."""

from typing import Any, cast

import msgspec
import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

from engine.model.problems import Problem, ScenarioProblems

MOST_BYTES = 64 << 10
DEEPEST = 12


def load_text(text: str | bytes) -> Any:
    """The document's value; ScenarioProblems with the line where it cannot be read."""
    decoded = _decoded(text)
    if decoded.lstrip().startswith("{"):
        return _json(decoded)
    try:
        return yaml.load(decoded, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}" if mark else "scenario"
        raise refused(where, error.problem or "not YAML") from None
    except yaml.YAMLError as error:
        raise refused("scenario", f"not YAML: {error}".splitlines()[0]) from None
    except (ValueError, OverflowError, RecursionError) as error:
        raise refused("scenario", f"not YAML: {error}".splitlines()[0][:200]) from None


def refused(path: str, rule: str) -> ScenarioProblems:
    return ScenarioProblems([Problem(path, "", rule)])


def _decoded(text: str | bytes) -> str:
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
    if size > MOST_BYTES:
        raise refused("scenario", f"{size} bytes: at most {MOST_BYTES} are read")
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refused("scenario", f"not UTF-8 at byte {error.start}") from None


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise refused("scenario", f"not JSON: {error}") from None


class _Loader(yaml.SafeLoader):
    """Refuses what a scenario has no use for and an attacker has."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = cast("Any", self).peek_event()  # PyYAML is untyped here
        if isinstance(event, yaml.AliasEvent):
            raise ComposerError(None, None, "aliases are not read", event.start_mark)
        if self.depth >= DEEPEST:
            raise ComposerError(None, None, f"nested deeper than {DEEPEST}", event.start_mark)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key.value, str):
                raise ConstructorError(None, None, "field names are texts", key.start_mark)
            if key.value in seen:
                raise ConstructorError(None, None, f"{key.value[:40]} is given twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=True)


def _whole_number(loader: _Loader, node: yaml.ScalarNode) -> Any:
    """A number too long for Python stays text, so that its field's rule names it."""
    try:
        return loader.construct_yaml_int(node)
    except ValueError:
        return node.value


def _as_written(loader: _Loader, node: yaml.ScalarNode) -> str:
    """A name that looks like a date is a name."""
    return node.value


_add: Any = _Loader.add_constructor  # type: ignore[reportUnknownMemberType]
_add("tag:yaml.org,2002:int", _whole_number)
_add("tag:yaml.org,2002:timestamp", _as_written)

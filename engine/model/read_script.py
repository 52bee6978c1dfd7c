"""Script entries: `{after: {exits: 100}, do: set_mask, ...}`, each a command with the moment it is due."""

from collections.abc import Callable
from typing import Any

import msgspec

from engine.model.address import PAGE_SIZE
from engine.model.node import Node, mapping
from engine.model.read_parts import HIGHEST_SLOT, POLICIES, read_pages, read_slot
from engine.model.scenario import After, ScriptEntry

MOST_ENTRIES = 256


def read_script(node: Node, ram: int) -> tuple[ScriptEntry, ...]:
    entries = [_entry(item, ram) for item in node.items(MOST_ENTRIES)]
    return tuple(entry for entry in entries if entry is not None)


def _entry(node: Node, ram: int) -> ScriptEntry | None:
    value = mapping(node.value)
    if value is None or "after" not in value or "do" not in value:
        node.wrong("must have after (when) and do (what)")
        return None
    after = _after(Node(value["after"], f"{node.path}.after", node.problems))
    do = Node(value["do"], f"{node.path}.do", node.problems)
    if not isinstance(do.value, str) or do.value not in _READERS:
        do.wrong(f"must be one of {', '.join(_READERS)}")
        return None
    return ScriptEntry(after, {"do": do.value, **_READERS[do.value](node, ram)})


def _after(node: Node) -> After:
    found = node.fields("exits", "protection", "instructions", "seconds")
    if mapping(node.value) is not None and len(found) != 1:
        node.wrong("must have exactly one of exits, protection, instructions and seconds")
    counted = {name: found[name].number(1, 1 << 53) for name in found if name != "seconds"}
    seconds = found["seconds"].number(0, 1e6, whole=False) if "seconds" in found else None
    return After(**counted, seconds=seconds)


def _set_mask(node: Node, ram: int) -> dict[str, Any]:
    base, pages, rights, vtl = read_pages(node, ram, "after", "do")
    return {"base": base, "pages": pages, "rights": rights, "vtl": vtl}


def _set_slot(node: Node, ram: int) -> dict[str, Any]:
    return {"slot": msgspec.to_builtins(read_slot(node, "after", "do"))}


def _delete_slot(node: Node, ram: int) -> dict[str, Any]:
    found = node.fields("after", "do", "slot", required=("slot",))
    return {"slot": found["slot"].number(0, HIGHEST_SLOT) if "slot" in found else 0}


def _move_slot(node: Node, ram: int) -> dict[str, Any]:
    found = node.fields("after", "do", "slot", "base", required=("slot", "base"))
    return {
        "slot": found["slot"].number(0, HIGHEST_SLOT) if "slot" in found else 0,
        "base": found["base"].size(most=ram, step=PAGE_SIZE) if "base" in found else 0,
    }


def _churn(node: Node, ram: int) -> dict[str, Any]:
    found = node.fields("after", "do", "slot", "rate", required=("slot", "rate"))
    return {
        "slot": found["slot"].number(0, HIGHEST_SLOT) if "slot" in found else 0,
        "rate": found["rate"].number(0, 10_000, whole=False) if "rate" in found else 0.0,
    }


def _set_policy(node: Node, ram: int) -> dict[str, Any]:
    found = node.fields("after", "do", "on_protection", required=("on_protection",))
    return {"on_protection": found["on_protection"].choice(*POLICIES) if "on_protection" in found else POLICIES[0]}


def _set_speed(node: Node, ram: int) -> dict[str, Any]:
    found = node.fields("after", "do", "exits_per_second", required=("exits_per_second",))
    speed = found.get("exits_per_second")
    return {"exits_per_second": None if speed is None or speed.value is None else speed.number(0.01, 1e9, whole=False)}


def _nothing_more(node: Node, ram: int) -> dict[str, Any]:
    node.fields("after", "do")
    return {}


_READERS: dict[str, Callable[[Node, int], dict[str, Any]]] = {
    "set_mask": _set_mask,
    "set_slot": _set_slot,
    "delete_slot": _delete_slot,
    "move_slot": _move_slot,
    "churn": _churn,
    "set_policy": _set_policy,
    "set_speed": _set_speed,
    "harvest": _nothing_more,
    "pause": _nothing_more,
}
SCRIPTABLE = tuple(_READERS)
"""Commands that a script may give."""

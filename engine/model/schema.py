"""The JSON Schema of a scenario file, for editors and other programs. Rules between fields are only in check.py."""

from typing import Any

from engine.model.layout import MAX_RAM, MAX_VCPUS, MOST_VTLS
from engine.model.read import DIRTY_WAYS, HYPERVISORS, HYPERVS, MOST_ASM, MOST_MASKS, MOST_SLOTS, VSM_PROFILES
from engine.model.read_parts import HIGHEST_SLOT, POLICIES
from engine.model.read_script import MOST_ENTRIES, SCRIPTABLE
from engine.model.scenario import SCENARIO_VERSION

_SIZE = {
    "description": "Bytes: a plain or hex number, or one with KiB, MiB or GiB",
    "anyOf": [
        {"type": "integer", "minimum": 0},
        {"type": "string", "pattern": r"^\s*(0[xX][0-9a-fA-F]+|[0-9]+)\s*([kKmMgG][iI][bB]|[bB])?\s*$"},
    ],
}
_SLOT_ID = {"type": "integer", "minimum": 0, "maximum": HIGHEST_SLOT}
_MASK = {
    "description": "Any of R W KX UX, X for both KX and UX, or none",
    "type": "string",
    "pattern": r"^\s*([nN][oO][nN][eE]|([rRwWxX]|[kKuU][xX]|[\s|,-])+)\s*$",
}
_COUNT = {"type": "integer", "minimum": 1}
_SECONDS = {"type": "number", "minimum": 0, "maximum": 1e6}


def scenario_schema() -> dict[str, Any]:
    """Draft 2020-12, as published at /api/scenario.schema.json."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ringfence scenario",
        **_object(_fields(), "name", "ram", "slots", "vcpus"),
    }


def _fields() -> dict[str, Any]:
    return {
        "version": {"const": SCENARIO_VERSION},
        "name": {"type": "string", "minLength": 1, "maxLength": 120},
        "about": {"type": "string", "maxLength": 2000},
        "ram": {**_SIZE, "description": f"RAM of the guest, at most {MAX_RAM} bytes"},
        "hypervisor": {"enum": list(HYPERVISORS)},
        "seed": {"type": "integer", "minimum": 0},
        "slots": {"type": "array", "maxItems": MOST_SLOTS, "items": _object(_slot(), "slot", "base", "size")},
        "vcpus": {"type": "array", "minItems": 1, "maxItems": MAX_VCPUS, "items": _vcpu()},
        "masks": {"type": "array", "maxItems": MOST_MASKS, "items": _object(_mask(), "base", "pages", "mask")},
        "on_protection": {"enum": list(POLICIES)},
        "dirty": {"enum": list(DIRTY_WAYS)},
        "vtls": {"type": "integer", "minimum": 2, "maximum": MOST_VTLS},
        "vsm_profile": {"enum": list(VSM_PROFILES)},
        "hyperv": {"enum": list(HYPERVS)},
        "script": {"type": "array", "maxItems": MOST_ENTRIES, "items": _entry()},
        "limits": _object({"exits": _COUNT, "instructions": _COUNT, "seconds": _SECONDS}),
    }


def _slot() -> dict[str, Any]:
    flags = {"type": "array", "items": {"enum": ["log", "readonly"]}}
    return {"slot": _SLOT_ID, "base": _SIZE, "size": _SIZE, "offset": _SIZE, "flags": flags}


def _mask() -> dict[str, Any]:
    return {"vtl": {"const": 0}, "base": _SIZE, "pages": _COUNT, "mask": _MASK}


def _vcpu() -> dict[str, Any]:
    vtl = {"enum": [0, 1]}
    params = {"type": "object", "additionalProperties": _SIZE}
    by_name: dict[str, Any] = {"guest": {"type": "string"}, "params": params}
    by_text: dict[str, Any] = {"asm": {"type": "string", "minLength": 1, "maxLength": MOST_ASM}}
    base = {"base": _SIZE}
    vtl1 = {"oneOf": [_object(by_name | base, "base", "guest"), _object(by_text | base, "base", "asm")]}
    more = {"vtl": vtl, "vtl1": vtl1, "waits": {"type": "boolean"}}
    return {"oneOf": [_object(by_name | more, "guest"), _object(by_text | more, "asm")]}


def _entry() -> dict[str, Any]:
    after = _object({"exits": _COUNT, "protection": _COUNT, "instructions": _COUNT, "seconds": _SECONDS})
    after |= {"minProperties": 1, "maxProperties": 1}
    fields = {
        "after": after,
        "do": {"enum": list(SCRIPTABLE)},
        **_slot(),
        **_mask(),
        "rate": {"type": "number", "minimum": 0},
        "on_protection": {"enum": list(POLICIES)},
        "exits_per_second": {"type": ["number", "null"]},
    }
    return _object(fields, "after", "do")


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": list(required)}

"""What a hypercall was given and what it gave back, in words: its header field by field, its list rep by rep.

By the layouts of TLFS. An element that a profile packs otherwise begins with the same fields, and is padded here.
"""

import ctypes
from collections.abc import Iterator
from typing import Any

from engine.abi.tlfs import parameters
from engine.abi.tlfs.interface import PARTITION_ID_SELF, VP_INDEX_SELF, InputVtl
from engine.abi.tlfs.registers import RegisterName
from engine.model.rights import Rights, rights_text
from engine.vsm.call import Layout
from engine.vsm.calls.table import calls
from engine.vsm.layout import of_bits
from engine.vsm.profile import PROFILES

Words = list[tuple[str, str]]
"""(name, value) of each field, in order."""
_CALLS = calls(PROFILES["tlfs"])
_SILENT = ("rsvdz", "padding", "reserved")


def header_words(code: int, header: bytes) -> Words:
    """None where the call was refused before its parameters were read."""
    call = _CALLS.get(code)
    if call is None or not header:
        return []
    return list(_words(_decoded(call.header, header)))


def output_words(code: int, output: bytes) -> Words:
    """Of a simple call that gives something back."""
    call = _CALLS.get(code)
    if call is None or call.output is None or not output:
        return []
    return list(_words(_decoded(call.output, output)))


def element_texts(code: int, elements: tuple[bytes, ...], output: bytes, done: int) -> list[str]:
    """One for each rep, with what came back for it; `output` is that of the first `done`."""
    call = _CALLS.get(code)
    if call is None or call.element is None:
        return []
    size = len(output) // done if done else 0
    results = [output[at * size : (at + 1) * size] for at in range(len(elements))]
    return [
        _told(call.element, element, call.output_element, result)
        for element, result in zip(elements, results, strict=True)
    ]


def _told(layout: Layout, element: bytes, output_layout: Layout | None, result: bytes) -> str:
    given = _element(_decoded(layout, element))
    if output_layout is None or not result:
        return given
    return f"{given}: {_element(_decoded(output_layout, result))}"


def _element(value: Any) -> str:
    match value:
        case parameters.RegisterNameElement():
            return _register(value.name)
        case parameters.RegisterAssociation():
            return f"{_register(value.name)} = {_wide(value)}"
        case parameters.RegisterValue():
            return _wide(value)
        case _:
            return ", ".join(text for _, text in _words(value))


def _wide(value: Any) -> str:
    return hex(value.low | value.high << 64)


def _register(name: int) -> str:
    """As TLFS spells it, without HvRegister or HvX64Register; abbreviations stay capitals."""
    if name not in RegisterName.__members__.values():
        return hex(name)
    parts = RegisterName(name).name.split("_")
    return parts[0] if len(parts) == 1 else "".join(part.title() for part in parts)


def _decoded(layout: Layout, data: bytes) -> Any:
    return layout.from_buffer_copy(data.ljust(ctypes.sizeof(layout), b"\0"))


def _words(value: Any) -> Iterator[tuple[str, str]]:
    """Reserved fields and segments have none: a screen has no room for what is nearly always the same."""
    for name, *_ in value._fields_:
        field = getattr(value, name)
        if isinstance(field, int) and name not in _SILENT:
            yield name.replace("_", " "), _word(value, name, field)
        elif hasattr(field, "rip"):
            yield from _words(field)


def _word(value: Any, name: str, field: int) -> str:
    match name:
        case "partition_id" if field == PARTITION_ID_SELF:
            return "self"
        case "vp_index" if field == VP_INDEX_SELF:
            return "self"
        case "map_flags":
            return f"{field:#x} {rights_text(Rights(field & 0xF))}"
        case "input_vtl":
            return _input_vtl(field)
        case "target_vtl" if isinstance(
            value,
            parameters.ModifyVtlProtectionMask
            | parameters.CheckSparseGpaPageVtlAccess
            | parameters.SendSyntheticClusterIpi,
        ):
            return _input_vtl(field)
        case "target_vtl":
            return f"VTL{field}"
        case _:
            return hex(field)


def _input_vtl(raw: int) -> str:
    """HV_INPUT_VTL."""
    found = of_bits(InputVtl, raw)
    return f"{raw:#x} VTL{found.target_vtl}" if found.use_target_vtl else f"{raw:#x} names none"

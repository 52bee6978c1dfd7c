"""A scenario as a person would write it: hex addresses, MiB, mask letters, block-style assembly."""

import json
import re
from typing import Any

import yaml
from msgspec import UNSET

from engine.model.memslot import Memslot, SlotFlags
from engine.model.rights import Rights, rights_text
from engine.model.scenario import Limits, Scenario, ScriptEntry, VcpuSpec, Vtl1Spec
from engine.model.sizes import size_text

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 _./()+-]*")


def to_yaml(scenario: Scenario) -> str:
    """Text that parse_scenario reads back as the same scenario."""
    lines = [f"name: {_text(scenario.name)}"]
    if scenario.about:
        lines += _block("about", scenario.about, "")
    lines += [f"ram: {size_text(scenario.ram)}", f"hypervisor: {scenario.hypervisor}", f"seed: {scenario.seed}"]
    lines += ["slots:", *(f"  - {_slot(slot)}" for slot in scenario.slots), "vcpus:"]
    for vcpu in scenario.vcpus:
        lines += _vcpu(vcpu)
    if scenario.masks:
        masks = (_mask(mask.base, mask.pages, mask.rights, mask.vtl) for mask in scenario.masks)
        lines += ["masks:", *(f"  - {{{fields}}}" for fields in masks)]
    lines.append(f"on_protection: {scenario.on_protection}")
    if scenario.dirty != "log":
        lines.append(f"dirty: {scenario.dirty}")
    if scenario.vtls != 2:
        lines.append(f"vtls: {scenario.vtls}")
    if scenario.vsm_profile != "tlfs":
        lines.append(f"vsm_profile: {scenario.vsm_profile}")
    if scenario.hyperv != "vmm":
        lines.append(f"hyperv: {scenario.hyperv}")
    if scenario.script:
        lines += ["script:", *(f"  - {_entry(entry)}" for entry in scenario.script)]
    lines += _limits(scenario.limits)
    return "\n".join(lines) + "\n"


def _slot(slot: Memslot) -> str:
    return f"{{{_slot_fields(slot.slot, slot.base, slot.size, slot.offset, slot.flags)}}}"


def _slot_fields(slot: int, base: int, size: int, offset: int, flags: int) -> str:
    text = f"slot: {slot}, base: {base:#x}, size: {size_text(size)}"
    if offset != base:
        text += f", offset: {offset:#x}"
    names = [name for name, bit in (("log", SlotFlags.LOG), ("readonly", SlotFlags.READONLY)) if flags & bit]
    return text + (f", flags: [{', '.join(names)}]" if names else "")


def _mask(base: int, pages: int, rights: int, vtl: int) -> str:
    return f"vtl: {vtl}, base: {base:#x}, pages: {pages}, mask: {rights_text(Rights(rights))}"


def _vcpu(vcpu: VcpuSpec) -> list[str]:
    more = [f"vtl: {vcpu.vtl}"] if vcpu.vtl else []
    more += ["waits: true"] if vcpu.waits is True else []
    if vcpu.asm is None and vcpu.vtl1 is UNSET:
        return [f"  - {{{', '.join([_guest(vcpu), *more])}}}"]
    head, *rest = _program(vcpu, "    ")
    lines = [f"  - {head.strip()}", *rest, *(f"    {field}" for field in more)]
    if vcpu.vtl1 is not UNSET:
        lines += ["    vtl1:", f"      base: {vcpu.vtl1.base:#x}", *_program(vcpu.vtl1, "      ")]
    return lines


def _program(spec: VcpuSpec | Vtl1Spec, indent: str) -> list[str]:
    if spec.asm is not None:
        return _block("asm", spec.asm, indent)
    params = [f"{indent}params: {{{_params(spec.params)}}}"] if spec.params else []
    return [f"{indent}guest: {_text(spec.guest or '')}", *params]


def _guest(vcpu: VcpuSpec) -> str:
    return f"guest: {_text(vcpu.guest or '')}" + (f", params: {{{_params(vcpu.params)}}}" if vcpu.params else "")


def _params(params: dict[str, int]) -> str:
    return ", ".join(f"{_text(name)}: {_number(value)}" for name, value in params.items())


def _entry(entry: ScriptEntry) -> str:
    when = {name: getattr(entry.after, name) for name in ("exits", "protection", "instructions", "seconds")}
    (after,) = (f"{name}: {value}" for name, value in when.items() if value is not None)
    fields = {name: value for name, value in entry.command.items() if name != "do"}
    return f"{{after: {{{after}}}, do: {entry.command['do']}{''.join(f', {text}' for text in _command(fields))}}}"


def _command(fields: dict[str, Any]) -> list[str]:
    if "rights" in fields:
        return [_mask(**fields)]
    if isinstance(fields.get("slot"), dict):
        return [_slot_fields(**fields["slot"])]
    return [f"{name}: {_value(name, value)}" for name, value in fields.items()]


def _value(name: str, value: Any) -> str:
    if value is None:
        return "null"
    return f"{value:#x}" if name == "base" else str(value)


def _limits(limits: Limits) -> list[str]:
    given = {name: getattr(limits, name) for name in ("exits", "instructions", "seconds")}
    text = ", ".join(f"{name}: {value}" for name, value in given.items() if value is not None)
    return [f"limits: {{{text}}}"] if text else []


def _number(value: int) -> str:
    return str(value) if value < 4096 else hex(value)


def _text(text: str) -> str:
    """Plain where YAML reads it back as the same text, else quoted as in JSON."""
    if _PLAIN.fullmatch(text) and yaml.safe_load(text) == text:
        return text
    return json.dumps(text, ensure_ascii=False)


def _block(name: str, text: str, indent: str) -> list[str]:
    """A literal block; quoted where a block would not read back."""
    lines = text.split("\n")
    trailing = len(text) - len(text.rstrip("\n"))
    if not text.strip() or "\t" in text or not text.isascii() or text[0] in " \n" or trailing > 1:
        return [f"{indent}{name}: {json.dumps(text, ensure_ascii=False)}"]
    body = lines[:-1] if trailing else lines
    return [f"{indent}{name}: |{'' if trailing else '-'}", *(f"{indent}  {line}" if line else "" for line in body)]

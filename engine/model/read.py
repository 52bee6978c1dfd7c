"""From plain values to a Scenario, noting every problem on the way. Rules between fields are in check.py."""

from typing import Any

from msgspec import UNSET

from engine.model.address import PAGE_SIZE
from engine.model.layout import CODE_SIZE, MAX_RAM, MAX_VCPUS, MOST_VTLS, SYSTEM_SIZE
from engine.model.node import Node, mapping
from engine.model.read_parts import POLICIES, read_pages, read_slot
from engine.model.read_script import read_script
from engine.model.scenario import SCENARIO_VERSION, Limits, MaskSpec, Scenario, VcpuSpec, Vtl1Spec

HYPERVISORS = ("auto", "kvm", "sim")
DIRTY_WAYS = ("log", "clear", "ring")
VSM_PROFILES = ("tlfs", "openvmm", "kut-vsm")
HYPERVS = ("vmm", "kernel")
MOST_SLOTS = 512
MOST_MASKS = 4096
MOST_ASM = 16 << 10
_PROGRAM = ("guest", "params", "asm")
_FIELDS = (
    "version", "name", "about", "ram", "hypervisor", "seed", "slots", "vcpus", "masks", "on_protection", "script",
    "limits", "dirty", "vtls", "vsm_profile", "hyperv",
)  # fmt: skip


def read_scenario(node: Node, max_ram: int) -> Scenario:
    """`node` collects the problems; with any, the result means nothing."""
    found = node.fields(*_FIELDS, required=("name", "ram", "slots", "vcpus"))
    ram = found["ram"].size(2 * SYSTEM_SIZE, max_ram, PAGE_SIZE) if "ram" in found else max_ram
    if "version" in found:
        found["version"].number(SCENARIO_VERSION, SCENARIO_VERSION)
    return Scenario(
        name=_name(found),
        about=found["about"].text(2000, lines=True) if "about" in found else "",
        ram=ram,
        hypervisor=found["hypervisor"].choice(*HYPERVISORS) if "hypervisor" in found else "auto",
        seed=found["seed"].number(0, (1 << 63) - 1) if "seed" in found else 1,
        slots=tuple(read_slot(item) for item in _items(found, "slots", MOST_SLOTS)),
        vcpus=tuple(_vcpu(item) for item in _items(found, "vcpus", MAX_VCPUS)),
        masks=tuple(_mask(item, ram) for item in _items(found, "masks", MOST_MASKS)),
        on_protection=found["on_protection"].choice(*POLICIES) if "on_protection" in found else "complete",
        script=read_script(found["script"], ram) if "script" in found else (),
        limits=_limits(found["limits"]) if "limits" in found else Limits(),
        dirty=found["dirty"].choice(*DIRTY_WAYS) if "dirty" in found else "log",
        vtls=found["vtls"].number(2, MOST_VTLS) if "vtls" in found else 2,
        vsm_profile=found["vsm_profile"].choice(*VSM_PROFILES) if "vsm_profile" in found else "tlfs",
        hyperv=found["hyperv"].choice(*HYPERVS) if "hyperv" in found else "vmm",
    )


def _items(found: dict[str, Node], name: str, most: int) -> list[Node]:
    return found[name].items(most) if name in found else []


def _name(found: dict[str, Node]) -> str:
    if "name" not in found:
        return ""
    name = found["name"].text(120)
    if isinstance(found["name"].value, str) and not found["name"].value.strip():
        found["name"].wrong("must not be empty")
    return name


def _mask(node: Node, ram: int) -> MaskSpec:
    base, pages, rights, vtl = read_pages(node, ram)
    return MaskSpec(base=base, pages=pages, rights=rights, vtl=vtl)


def _vcpu(node: Node) -> VcpuSpec:
    found = node.fields(*_PROGRAM, "vtl", "vtl1", "waits")
    vtl = found["vtl"].number(0, 1) if "vtl" in found else 0
    if "vtl1" in found and vtl:
        found["vtl1"].wrong("goes with a vCPU that starts in VTL0")
    vtl1 = _vtl1(found["vtl1"]) if "vtl1" in found else UNSET
    waits = "waits" in found and found["waits"].flag()
    if waits and vtl:
        found["waits"].wrong("goes with a vCPU of VTL0: who starts it says in which VTL")
    return VcpuSpec(**_program(node, found), vtl=vtl, vtl1=vtl1, waits=True if waits else UNSET)


def _vtl1(node: Node) -> Vtl1Spec:
    found = node.fields(*_PROGRAM, "base", required=("base",))
    base = found["base"].size(SYSTEM_SIZE, MAX_RAM - CODE_SIZE, PAGE_SIZE) if "base" in found else SYSTEM_SIZE
    return Vtl1Spec(base, **_program(node, found))


def _program(node: Node, found: dict[str, Node]) -> dict[str, Any]:
    """What there is to run, by field."""
    if mapping(node.value) is not None and ("guest" in found) == ("asm" in found):
        node.wrong("must have either guest or asm")
    if "asm" in found and "params" in found:
        found["params"].wrong("goes with guest, not with asm")
    return {
        "guest": found["guest"].text(40) if "guest" in found else None,
        "params": _params(found["params"]) if "params" in found else {},
        "asm": _asm(found["asm"]) if "asm" in found else None,
    }


def _params(node: Node) -> dict[str, int]:
    values = mapping(node.value)
    if values is None:
        node.wrong("must be a mapping of names to numbers")
        return {}
    found: dict[str, int] = {}
    for key, value in values.items():
        field = Node(value, f"{node.path}.{key}", node.problems)
        if not isinstance(key, str) or len(key) > 40:
            field.wrong("names of parameters are short texts")
        else:
            found[key] = field.size()
    return found


def _asm(node: Node) -> str:
    text = node.text(MOST_ASM, lines=True)
    if not text.isascii():
        node.wrong("must be ASCII")
    elif isinstance(node.value, str) and not node.value.strip():
        node.wrong("must not be empty")
    return text


def _limits(node: Node) -> Limits:
    found = node.fields("exits", "instructions", "seconds")
    given = {name: field for name, field in found.items() if field.value is not None}
    return Limits(
        exits=given["exits"].number(1, 1 << 53) if "exits" in given else None,
        instructions=given["instructions"].number(1, 1 << 53) if "instructions" in given else None,
        seconds=given["seconds"].number(0.001, 1e6, whole=False) if "seconds" in given else None,
    )

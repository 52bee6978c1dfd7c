"""Guests to measure on: a vm with the scenario's program in it, driven through the contract."""

from bench.figure import Absent
from engine.hypervisor.choose import choose
from engine.hypervisor.contract.errors import HypervisorMissing
from engine.hypervisor.contract.protocols import Hypervisor, Vcpu, Vm
from engine.machine.build import build
from engine.machine.program import check_scenario
from engine.model.events import Event
from engine.model.scenario import HypervisorChoice

OUT_LOOP = "mov edx, 0x10\nagain: out dx, al\njmp again"
STORE_LOOP = "mov rdi, 0x200000\nagain: inc rax\nmov [rdi], rax\njmp again"


def hypervisor(choice: HypervisorChoice) -> Hypervisor:
    """Absent where this machine has none."""
    try:
        return choose(choice)[0]
    except HypervisorMissing as missing:
        raise Absent(str(missing)) from missing


def running(choice: HypervisorChoice, asm: str, mask: str = "RWX") -> tuple[Vm, Vcpu]:
    """One vCPU in its first instruction; `mask` is what the pages at 2 MiB are left."""
    text: dict[str, object] = {
        "name": "bench",
        "ram": "4MiB",
        "slots": [
            {"slot": 0, "base": 0, "size": "2MiB"},
            {"slot": 1, "base": "0x200000", "size": "2MiB", "flags": ["log"]},
        ],
        "vcpus": [{"asm": asm}],
        "masks": [{"vtl": 0, "base": "0x200000", "pages": 4, "mask": mask}] if mask != "RWX" else [],
    }
    machine = build(hypervisor(choice), check_scenario(text), forget)
    return machine.vm, machine.vcpus[0]


def forget(kind: type[Event], fields: dict[str, object]) -> None:
    """The log of a machine that is only measured."""

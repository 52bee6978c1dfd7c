"""From a scenario to a machine that stands ready, paused."""

from engine.hypervisor.contract.errors import Unsupported
from engine.hypervisor.contract.extensions import KernelHyperV
from engine.hypervisor.contract.protocols import Hypervisor, Vcpu, Vm
from engine.machine.harvest import harvest
from engine.machine.machine import Machine, Record
from engine.machine.program import Loaded, load
from engine.machine.runner import Runner
from engine.machine.slices import SlicedRunner
from engine.machine.threads import ThreadedRunner
from engine.model.address import PAGE_SHIFT, PageRange
from engine.model.cpuid import announced
from engine.model.dirty import DirtyWay, ManualProtect
from engine.model.events import SlotChanged
from engine.model.registers import Registers
from engine.model.rights import Rights
from engine.model.scenario import HyperV, Scenario
from engine.vsm.discovery import leaves


def build(hypervisor: Hypervisor, scenario: Scenario, record: Record) -> Machine:
    """Slots, program, vCPUs and masks, each logged. Unsupported when this host lacks a mask, the dirty
    ring, or a Hyper-V of its own where the scenario asks for that."""
    vm = hypervisor.create_vm(scenario.ram, scenario.vtls, seed=scenario.seed)
    try:
        return _furnish(vm, scenario, record)
    except BaseException:
        vm.close()
        raise


def run_on(machine: Machine) -> Runner:
    """The runner that the machine's hypervisor asks for."""
    return ThreadedRunner(machine) if machine.vm.capabilities.concurrent else SlicedRunner(machine)


def _furnish(vm: Vm, scenario: Scenario, record: Record) -> Machine:
    program = load(scenario)
    _track(vm, scenario.dirty)
    announces = _prepare_hyperv(vm, scenario.hyperv)
    for slot in scenario.slots:
        vm.set_memory_region(slot)
    for gpa, data in program.writes:
        vm.memory().write(gpa, data)
    harvest(vm)  # the program is there from the start: nobody has written yet
    vcpus = [_create_vcpu(vm, index, program, spec.vtl) for index, spec in enumerate(scenario.vcpus)]
    machine = Machine(vm, vcpus, scenario, record)
    if announces:
        for vcpu in vcpus:
            vcpu.set_cpuid(announced(vcpu.cpuid, leaves(machine.vsm.partition)))
    machine.record([(SlotChanged, {"before": None, "after": slot}) for slot in scenario.slots])
    machine.record(machine.started())
    for mask in scenario.masks:
        pages = PageRange(mask.base >> PAGE_SHIFT, mask.pages)
        machine.set_mask(mask.vtl, pages, Rights(mask.rights))
    return machine


def _prepare_hyperv(vm: Vm, whose: HyperV) -> bool:
    """Whether the VMM is to announce its own. Without exits for MSRs it cannot serve what it announces; an unknown MSR
    is #GP all the same then, but nobody sees it. Unsupported where the kernel is to have one and has none."""
    if whose == "kernel":
        vm.extension(KernelHyperV).enable()
        return False
    try:
        vm.enable_msr_exits()
    except Unsupported:
        return False
    return True


def _track(vm: Vm, way: DirtyWay) -> None:
    match way:
        case "log":
            pass
        case "clear":
            vm.enable_manual_protect(ManualProtect.ENABLE)
        case "ring":
            # The largest: a vCPU then has most of a second to fill it, and is harvested many times in that.
            vm.enable_dirty_ring(vm.capabilities.ring_bytes)


def _create_vcpu(vm: Vm, index: int, program: Loaded, vtl: int) -> Vcpu:
    rip, rsp, cr3, rdi = program.entries[index]
    vcpu = vm.create_vcpu(index, cr3)
    if vtl:
        vcpu.enter_vtl(vtl)
    vcpu.set_registers(Registers(rip=rip, rsp=rsp, rdi=rdi))
    return vcpu

"""Performs what hypercalls and VTL switches do: the one place that turns effects of vsm into calls of a vm."""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from engine.abi.tlfs.interface import HYPERCALL_ENABLE, VP_ASSIST_ENABLE
from engine.abi.tlfs.registers import RegisterName as Name
from engine.abi.tlfs.status import HvStatus
from engine.hypervisor.contract.errors import HypervisorError, Unsupported
from engine.hypervisor.contract.extensions import ModeBasedExecution
from engine.hypervisor.contract.protocols import Vcpu, Vm
from engine.hypervisor.contract.vectors import require_exception
from engine.machine.hypercall_pages import unplaceable
from engine.machine.operations import Effect
from engine.machine.vsm_events import exception_of
from engine.machine.vsm_masks import guest_pages
from engine.machine.vsm_registers import PRIVATE, SHARED, SYSTEM, XMM, changed, with_xmm
from engine.machine.vsm_state import Private, Vsm
from engine.model.address import PAGE_SHIFT
from engine.model.layout import SYSTEM_AREA
from engine.model.page_set import PageSet
from engine.model.registers import Registers
from engine.model.rights import Rights, rights_text
from engine.vsm import effects
from engine.vsm.apply import apply
from engine.vsm.context import InitialContext


class Obstacle(msgspec.Struct, frozen=True):
    """What this host or this VMM cannot do, and the status that the guest gets for it."""

    status: HvStatus
    why: str


def obstacle(vm: Vm, wanted: Iterable[effects.AnyEffect]) -> Obstacle | None:
    """The first of the effects that cannot be performed here; asked before any is."""
    found = (_obstacle(vm, effect) for effect in wanted)
    return next((one for one in found if one is not None), None)


def _obstacle(vm: Vm, effect: effects.AnyEffect) -> Obstacle | None:
    match effect:
        case effects.SetMask(rights=rights) | effects.SetDefaultMask(rights=rights):
            why = f"this host does not enforce {rights_text(rights)}: {vm.capabilities.mask_reason}"
            return None if vm.capabilities.enforces(rights) else Obstacle(HvStatus.OPERATION_FAILED, why)
        case effects.SetAssistPage(value=value) if value & VP_ASSIST_ENABLE:
            there = any(value >> PAGE_SHIFT in slot.pages for slot in vm.slots.values())
            return None if there else Obstacle(HvStatus.INVALID_REGISTER_VALUE, "no slot is there")
        case effects.SetSynic(synic=synic) if synic.message_gfn is not None:
            there = any(synic.message_gfn in slot.pages for slot in vm.slots.values())
            return None if there else Obstacle(HvStatus.INVALID_REGISTER_VALUE, "no slot is there")
        case effects.SetPendingEvent(value=value) if value:
            return _undeliverable(value)
        case effects.SetHypercall(vtl, value) if value & HYPERCALL_ENABLE:
            why = unplaceable(vm, value >> PAGE_SHIFT, vtl)
            return Obstacle(HvStatus.INVALID_REGISTER_VALUE, why) if why else None
        case _:
            return None


def _undeliverable(value: int) -> Obstacle | None:
    try:
        require_exception(exception_of(value), "inject")
    except HypervisorError as refused:
        return Obstacle(HvStatus.INVALID_REGISTER_VALUE, refused.rule)
    return None


def install(vm: Vm, wanted: Iterable[effects.AnyEffect]) -> Obstacle | None:
    """Set the system registers that these effects change, all or none: no table foretells what a processor takes."""
    try:
        for (vp, vtl), registers in changed(vm, wanted).items():
            vm.vcpus[vp].set_system_registers(vtl, registers)
    except (HypervisorError, Unsupported) as refused:
        return Obstacle(HvStatus.INVALID_REGISTER_VALUE, str(refused))
    return None


def perform(vm: Vm, vsm: Vsm, vcpu: Vcpu, ram: int, done: Iterable[effects.AnyEffect]) -> list[Effect]:
    """Carry them out, and follow them in the VSM state; what is to be logged. System registers: install does."""
    logged: list[Effect] = []
    for effect in done:
        match effect:
            case effects.SetMask(setter, targets, gfns, rights):
                for target in targets:
                    logged += vsm.masks.set(vm, setter, target, PageSet(gfns), rights)
            case effects.SetDefaultMask(setter, rights) if rights != Rights.RWX:
                logged += vsm.masks.set_default(vm, setter, rights, guest_pages(ram, SYSTEM_AREA))
            case effects.EnableVpVtl(vp, vtl, context):
                vsm.private[vp, vtl] = Private(context.rip, context.rsp, context.rflags)
            case effects.StartVp(vp, vtl, context):
                _start(vsm, vm.vcpus[vp], vtl, context)
            case effects.SetRegister():
                _set_register(vsm, vcpu, effect)
            case effects.WriteMemory(gpa, data, vtl) if Rights.W in vm.mask(vtl, gpa >> PAGE_SHIFT):
                vm.memory(vtl).write(gpa, data)
            case effects.SwitchVtl(_, vtl):
                _switch(vsm, vcpu, vtl)
            case _:
                pass
        vsm.partition = apply(vsm.partition, [effect])
        _follow(vm, vsm, vcpu, effect)
    return logged


def _start(vsm: Vsm, vcpu: Vcpu, vtl: int, context: InitialContext) -> None:
    """It does not run yet, so that another one's thread may set its registers. Started above VTL0, it finds there what
    the scenario gave it, if it returns."""
    vsm.private[vcpu.index, vcpu.vtl] = Private.of(vcpu.registers())
    vcpu.enter_vtl(vtl)
    vcpu.set_registers(Registers(rip=context.rip, rsp=context.rsp, rflags=context.rflags))


def _follow(vm: Vm, vsm: Vsm, vcpu: Vcpu, effect: effects.AnyEffect) -> None:
    """What the vm is told of the state as it is now."""
    match effect:
        case effects.SetHypercall(vtl):
            vsm.pages.follow(vm, vsm.partition, vtl)
        case effects.RequestInterrupt(vp) | effects.SetPendingEvent(vp) | effects.SwitchVtl(vp):
            _look(vm, vsm, vcpu, vp)
        case effects.SetVina(vp) | effects.SetAssistPage(vp) | effects.SetRegister(vp):
            # What waits for a lower VTL was perhaps not to be told of before.
            _look(vm, vsm, vcpu, vp)
        case effects.AwaitTlbLocks(vp) if vp != vcpu.index:
            vm.vcpus[vp].kick()
        case effects.SetSecureConfig(vp, _, lower) if vm.capabilities.mbec:
            vm.extension(ModeBasedExecution).set_mbec(vp, lower, vsm.partition.vps[vp].mbec_active(lower))
        case _:
            pass


def _look(vm: Vm, vsm: Vsm, vcpu: Vcpu, vp: int) -> None:
    """`vp` is to look for what waits; another one is in the guest, or on its way there, and looks before it goes on."""
    vsm.due.add(vp)
    if vp != vcpu.index:
        vm.vcpus[vp].kick()


def _set_register(vsm: Vsm, vcpu: Vcpu, effect: effects.SetRegister) -> None:
    """Shared registers, and those of the active VTL, are in the vCPU; of another VTL they wait."""
    name, at = effect.name, (effect.vp, effect.vtl)
    if name in SYSTEM:
        return
    if name == Name.CR2:
        vcpu.set_cr2(effect.value)
    elif name in XMM:
        vcpu.set_xmm(with_xmm(vcpu.xmm(), name, effect.value))
    elif name in SHARED or effect.vtl == vcpu.vtl:
        vcpu.set_registers(replace(vcpu.registers(), **{(SHARED | PRIVATE)[name]: effect.value}))
    else:
        vsm.private[at] = replace(vsm.private[at], **{PRIVATE[name]: effect.value})


def _switch(vsm: Vsm, vcpu: Vcpu, vtl: int) -> None:
    """TLFS, Virtual Processor State Isolation: shared registers go along, private ones are kept per VTL."""
    registers = vcpu.registers()
    vsm.private[vcpu.index, vcpu.vtl] = Private.of(registers)
    vcpu.enter_vtl(vtl)
    vcpu.set_registers(vsm.private[vcpu.index, vtl].within(registers))

"""Calls through the hypercall page: an OUT to a private port each, served by the vsm layer, performed here."""

from typing import Any

import msgspec
from msgspec.structs import replace

from engine.abi.tlfs.interface import CallCode
from engine.abi.tlfs.status import HvStatus
from engine.hypervisor.contract.protocols import Vcpu, Vm
from engine.machine.operations import Effect
from engine.machine.vsm_effects import install, obstacle, perform
from engine.machine.vsm_state import Vsm
from engine.machine.vsm_view import MachineView
from engine.model.address import PAGE_SHIFT
from engine.model.events import ExitTaken, HypercallServed, VtlSwitched
from engine.model.exits import Exit, HypercallExit, IoExit, ProtectionExit
from engine.model.layout import HYPERCALL_PORT, VTL_CALL_PORT, VTL_RETURN_PORT
from engine.model.registers import Registers
from engine.model.resolution import Complete, Inject
from engine.model.rights import Rights
from engine.vsm.control import InputValue, ResultValue
from engine.vsm.dispatch import Served, serve
from engine.vsm.parameters import CallRegisters, Denied, Undefined
from engine.vsm.switch import Switched, vtl_call, vtl_return
from engine.vsm.view import Caller

PORTS = (HYPERCALL_PORT, VTL_CALL_PORT, VTL_RETURN_PORT)
UNDEFINED = Inject(6)
"""#UD."""


class Answered(msgspec.Struct, frozen=True):
    """What is to be logged, and why the vCPU cannot go on, if so."""

    logged: list[Effect]
    stop: str = ""
    denied: ProtectionExit | None = None
    """What the masks of higher VTLs deny the vCPU, where that is to be told instead of stopping it."""


def answer_call(vm: Vm, vsm: Vsm, vcpu: Vcpu, exit: IoExit, ram: int) -> Answered:
    """Serve the OUT of the hypercall page that the vCPU has just made."""
    vcpu.resolve(exit, Complete())
    # RIP moves past the OUT only when the operation is finished (api.rst 5, KVM_EXIT_IO).
    vcpu.settle()
    registers = vcpu.registers()
    if vsm.partition.vtls[vcpu.vtl].hypercall_page is None:
        return _undefined(vcpu, exit, registers)
    if exit.port == HYPERCALL_PORT:
        return _hypercall(vm, vsm, vcpu, exit, registers, ram)
    return _switch(vm, vsm, vcpu, exit, registers, ram)


def _hypercall(vm: Vm, vsm: Vsm, vcpu: Vcpu, exit: IoExit, registers: Registers, ram: int) -> Answered:
    view = MachineView(vm, vsm, vcpu, registers)
    given = _given(vcpu, registers)
    served = serve(vsm.calls, Caller(vcpu.index, vcpu.vtl, vcpu.ring), view, view, given)
    if isinstance(served, Undefined):
        return _undefined(vcpu, exit, registers)
    if isinstance(served, Denied):
        return _denied(vm, vcpu, exit, registers, served)
    found = obstacle(vm, served.effects) or install(vm, served.effects)
    if found is not None:
        served = _failed(served, found.status)
    logged = perform(vm, vsm, vcpu, ram, served.effects)
    _go_on(vcpu, exit, given, served)
    data = served.rax.to_bytes(8, "little") if served.finished else None
    taken: Effect = (ExitTaken, {"exit": _exit(exit, registers), "resolution": Complete(data)})
    told: Effect = (HypercallServed, served_fields(exit, served, found.why if found else ""))
    return Answered([taken, told, *logged])


def _denied(vm: Vm, vcpu: Vcpu, exit: IoExit, registers: Registers, denied: Denied) -> Answered:
    """The vCPU is at the OUT, and nothing of the call has happened. A mask is told to who set it, as for an access that
    is the guest's own; of no slot there is nobody to tell."""
    vcpu.set_registers(replace(registers, rip=exit.rip))
    why = f"hypercall parameters: {denied.access} of {denied.gpa:#x} denied"
    fenced = denied.access.needs & ~vm.mask(vcpu.vtl, denied.gpa >> PAGE_SHIFT)
    told = ProtectionExit(
        vcpu=exit.vcpu,
        vtl=exit.vtl,
        rip=exit.rip,
        code=exit.code,
        text=exit.text,
        raw="parameters of a hypercall",
        gpa=denied.gpa,
        access=denied.access,
    )
    return Answered([(ExitTaken, {"exit": _exit(exit, registers)})], why, told if fenced else None)


def _given(vcpu: Vcpu, registers: Registers) -> CallRegisters:
    """XMM registers are looked at for fast calls only."""
    given = CallRegisters(rcx=registers.rcx, rdx=registers.rdx, r8=registers.r8)
    if not InputValue.decode(registers.rcx).fast:
        return given
    return replace(given, xmm=vcpu.xmm()[: len(given.xmm)])


def _failed(served: Served, status: HvStatus) -> Served:
    """The same stretch with none of it done."""
    done = served.control.rep_start
    rax = ResultValue(status, done).encode()
    rcx = served.control.encode()
    registers = replace(served.registers, rcx=rcx)
    return replace(
        served, status=status, reps=done, finished=True, rax=rax, registers=registers, effects=(), output=b""
    )


def _go_on(vcpu: Vcpu, exit: IoExit, given: CallRegisters, served: Served) -> None:
    """A call that is not finished is made again: RIP back at the OUT (TLFS, Hypercall Continuation). A fast one may
    have its output in RDX, R8 and XMM registers."""
    after = served.registers
    if after.xmm != given.xmm:
        vcpu.set_xmm(after.xmm + vcpu.xmm()[len(after.xmm) :])
    registers = replace(vcpu.registers(), rcx=after.rcx)
    if after.rdx != given.rdx or after.r8 != given.r8:
        registers = replace(registers, rdx=after.rdx, r8=after.r8)
    if served.finished:
        vcpu.set_registers(replace(registers, rax=served.rax))
    else:
        vcpu.set_registers(replace(registers, rip=exit.rip))


def _switch(vm: Vm, vsm: Vsm, vcpu: Vcpu, exit: IoExit, registers: Registers, ram: int) -> Answered:
    switch = vtl_call if exit.port == VTL_CALL_PORT else vtl_return
    found = switch(Caller(vcpu.index, vcpu.vtl, vcpu.ring), vsm.partition, registers.rcx)
    if isinstance(found, Undefined):
        return _undefined(vcpu, exit, registers)
    restored = _restored(vm, found)
    logged = perform(vm, vsm, vcpu, ram, found.effects)
    if restored:
        rax, rcx = (int.from_bytes(restored[at : at + 8], "little") for at in (0, 8))
        vcpu.set_registers(replace(vcpu.registers(), rax=rax, rcx=rcx))
    taken: Effect = (ExitTaken, {"exit": _exit(exit, registers), "resolution": Complete()})
    return Answered([taken, (VtlSwitched, _switched(exit, found)), *logged])


def _restored(vm: Vm, found: Switched) -> bytes:
    """RAX and RCX, u64 each, from an assist page that the VTL may still read; else empty: both stay."""
    if found.restore is None or Rights.R not in vm.mask(found.from_vtl, found.restore >> PAGE_SHIFT):
        return b""
    return vm.memory(found.from_vtl).read(found.restore, 16)


def _switched(exit: IoExit, found: Switched) -> dict[str, Any]:
    reason = "call" if exit.port == VTL_CALL_PORT else "return"
    return {"vcpu": exit.vcpu, "from_vtl": found.from_vtl, "to_vtl": found.to_vtl, "reason": reason}


def _undefined(vcpu: Vcpu, exit: IoExit, registers: Registers) -> Answered:
    """As if the OUT were an instruction that does not exist."""
    vcpu.set_registers(replace(registers, rip=exit.rip))
    vcpu.inject(UNDEFINED)
    return Answered([(ExitTaken, {"exit": _exit(exit, registers), "resolution": UNDEFINED})])


def _exit(exit: IoExit, registers: Registers) -> HypercallExit:
    return HypercallExit(
        vcpu=exit.vcpu,
        vtl=exit.vtl,
        rip=exit.rip,
        code=exit.code,
        text=exit.text,
        raw=exit.raw,
        input=registers.rcx,
        rdx=registers.rdx,
        r8=registers.r8,
    )


def served_fields(exit: Exit, served: Served, why: str) -> dict[str, Any]:
    """The fields of a HypercallServed."""
    code = served.control.code
    return {
        "vcpu": exit.vcpu,
        "vtl": exit.vtl,
        "call": CallCode(code).name if code in CallCode.__members__.values() else hex(code),
        "status": served.status.name,
        "reps": served.reps,
        "count": served.control.rep_count,
        "finished": served.finished,
        "why": why,
        "header": served.header,
        "elements": served.elements,
        "output": served.output,
    }

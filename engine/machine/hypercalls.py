"""A call through the hypercall page: an OUT to the private port, answered with a TLFS status in RAX."""

from typing import Any

import msgspec

from engine.hypervisor.contract.protocols import Vcpu
from engine.model.exits import HypercallExit, IoExit
from engine.model.resolution import Complete

HV_STATUS_INVALID_HYPERCALL_CODE = 2
"""TLFS, Hypercall Status Codes: what a call that the hypervisor does not implement returns."""


def serve_hypercall(vcpu: Vcpu, exit: IoExit) -> dict[str, Any]:
    """Answer it; the fields of its ExitTaken. No call is implemented by this VMM, and the guest is told so."""
    vcpu.resolve(exit, Complete())
    # RIP moves past the OUT only when the operation is finished (api.rst 5, KVM_EXIT_IO).
    vcpu.settle()
    registers = vcpu.registers()
    status = HV_STATUS_INVALID_HYPERCALL_CODE
    vcpu.set_registers(msgspec.structs.replace(registers, rax=status))
    call = HypercallExit(
        vcpu=exit.vcpu,
        vtl=exit.vtl,
        rip=exit.rip,
        code=exit.code,
        raw=exit.raw,
        input=registers.rcx,
        rdx=registers.rdx,
        r8=registers.r8,
    )
    return {"exit": call, "resolution": Complete(status.to_bytes(8, "little"))}

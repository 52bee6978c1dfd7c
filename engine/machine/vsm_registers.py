"""Registers by their RegisterName: which field of the contract's values each is, and its 128 bits in a hypercall."""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from engine.abi.tlfs.processor import SegmentRegister, TableRegister
from engine.abi.tlfs.registers import RegisterName as Name
from engine.hypervisor.contract.protocols import Vm
from engine.model import system_registers as model
from engine.model.system_registers import SEGMENTS, TABLES, SystemRegisters
from engine.vsm import effects
from engine.vsm.context import InitialContext, decode_segment, encode_segment
from engine.vsm.layout import of_bits, to_bits

SHARED: dict[int, str] = {
    name: name.name.lower()
    for name in (
        Name.RAX, Name.RBX, Name.RCX, Name.RDX, Name.RSI, Name.RDI, Name.RBP, Name.R8, Name.R9, Name.R10, Name.R11,
        Name.R12, Name.R13, Name.R14, Name.R15,
    )
}  # fmt: skip
PRIVATE: dict[int, str] = {Name.RIP: "rip", Name.RSP: "rsp", Name.RFLAGS: "rflags"}
SYSTEM: dict[int, str] = {
    name: name.name.lower()
    for name in (
        Name.CR0, Name.CR3, Name.CR4, Name.CR8, Name.EFER, Name.CS, Name.DS, Name.ES, Name.FS, Name.GS, Name.SS,
        Name.TR, Name.LDTR, Name.IDTR, Name.GDTR, Name.PAT, Name.KERNEL_GS_BASE, Name.STAR, Name.LSTAR, Name.CSTAR,
        Name.SFMASK,
        Name.SYSENTER_CS, Name.SYSENTER_EIP, Name.SYSENTER_ESP,
    )
}  # fmt: skip
XMM = range(Name.XMM0, Name.XMM0 + 16)
_XMM = 16
"""Bytes of one."""
_CONTEXT = (*SEGMENTS, "efer", "cr0", "cr3", "cr4", "pat")


def read_system(registers: SystemRegisters, name: int) -> int:
    value: Any = getattr(registers, SYSTEM[name])
    if SYSTEM[name] in SEGMENTS:
        return to_bits(encode_segment(value))
    if SYSTEM[name] in TABLES:
        return to_bits(TableRegister(limit=value.limit, base=value.base))
    return int(value)


def with_system(registers: SystemRegisters, name: int, value: int) -> SystemRegisters:
    field = SYSTEM[name]
    if field in SEGMENTS:
        return replace(registers, **{field: decode_segment(of_bits(SegmentRegister, value))})
    if field in TABLES:
        table = of_bits(TableRegister, value)
        return replace(registers, **{field: model.TableRegister(table.base, table.limit)})
    return replace(registers, **{field: value})


def with_context(registers: SystemRegisters, context: InitialContext) -> SystemRegisters:
    """The context's; the MSRs that it does not have stay."""
    tables = {name: getattr(context, name) for name in TABLES}
    fields: dict[str, Any] = {name: getattr(context, name) for name in _CONTEXT}
    fields |= {name: model.TableRegister(table.base, table.limit) for name, table in tables.items()}
    return replace(registers, **fields)


def read_xmm(registers: bytes, name: int) -> int:
    at = _XMM * (name - Name.XMM0)
    return int.from_bytes(registers[at : at + _XMM], "little")


def with_xmm(registers: bytes, name: int, value: int) -> bytes:
    at = _XMM * (name - Name.XMM0)
    return registers[:at] + value.to_bytes(_XMM, "little") + registers[at + _XMM :]


def changed(vm: Vm, done: Iterable[effects.AnyEffect]) -> dict[tuple[int, int], SystemRegisters]:
    """What system registers are to be, by vCPU and VTL; a hypercall changes those of one."""
    found: dict[tuple[int, int], SystemRegisters] = {}
    for effect in done:
        match effect:
            case effects.EnableVpVtl(vp, vtl, context) | effects.StartVp(vp, vtl, context):
                found[vp, vtl] = with_context(_now(vm, found, vp, vtl), context)
            case effects.SetRegister(vp, vtl, name, value) if name in SYSTEM:
                found[vp, vtl] = with_system(_now(vm, found, vp, vtl), name, value)
            case _:
                pass
    return found


def _now(vm: Vm, found: dict[tuple[int, int], SystemRegisters], vp: int, vtl: int) -> SystemRegisters:
    return found.get((vp, vtl)) or vm.vcpus[vp].system_registers(vtl)

"""The message of a memory intercept, from a protection exit and the registers of the VTL that made it."""

from engine.abi import x86
from engine.abi.tlfs.messages import ExecutionState, InterceptAccess, MemoryAccessInfo
from engine.model.exits import ProtectionExit
from engine.model.registers import Registers
from engine.model.rights import Access
from engine.model.system_registers import SystemRegisters
from engine.vsm.intercept import Intercept, InterceptedRegisters, SynicMessage, encode_message, encode_payload
from engine.vsm.layout import bits

_ACCESS = {
    Access.READ: InterceptAccess.READ,
    Access.WRITE: InterceptAccess.WRITE,
    Access.EXECUTE: InterceptAccess.EXECUTE,
}
_WRITE_BACK = 6
"""HV_CACHE_TYPE: as in the PAT (SDM Vol. 3, 12.12.2)."""


def message_of(exit: ProtectionExit, registers: Registers, system: SystemRegisters, long: bool) -> bytes:
    """256 bytes, for SINT0. `long`: with the general registers."""
    fetch = exit.access is Access.EXECUTE
    intercept = Intercept(
        vp=exit.vcpu,
        # "0 for a fetch": what has not been fetched has no length.
        instruction_length=0 if fetch else len(exit.code),
        cr8=system.cr8,
        access=_ACCESS[exit.access],
        execution_state=_state(system, exit.vtl),
        cs=system.cs,
        rip=exit.rip,
        rflags=registers.rflags,
        cache_type=_WRITE_BACK,
        byte_count=0 if fetch else len(exit.code),
        access_info=0 if exit.gva is None else bits(MemoryAccessInfo, gva_valid=1, gva_gpa_valid=1),
        gva=exit.gva or 0,
        gpa=exit.gpa,
        instruction=b"" if fetch else exit.code,
        registers=InterceptedRegisters(system.ds, system.ss, _general(registers)) if long else None,
    )
    return encode_message(SynicMessage(payload=encode_payload(intercept)))


def _state(system: SystemRegisters, vtl: int) -> int:
    return bits(
        ExecutionState,
        cpl=system.cpl,
        cr0_pe=bool(system.cr0 & x86.CR0_PE),
        cr0_am=bool(system.cr0 & x86.CR0_AM),
        efer_lma=bool(system.efer & x86.EFER_LMA),
        vtl=vtl,
    )


def _general(of: Registers) -> tuple[int, ...]:
    low = (of.rax, of.rcx, of.rdx, of.rbx, of.rsp, of.rbp, of.rsi, of.rdi)
    return (*low, of.r8, of.r9, of.r10, of.r11, of.r12, of.r13, of.r14, of.r15)

"""What the engine would let a guest do with the processor's own registers, and a processor does not."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from engine.abi import x86
from engine.hypervisor.contract.vectors import GENERAL_PROTECTION, INVALID_OPCODE
from engine.hypervisor.sim import msrs
from engine.hypervisor.sim.deliver import Event, Segment
from engine.hypervisor.sim.space import Space
from engine.hypervisor.sim.stop import Anew, Guarded, Jump, MsrAccess
from engine.model.registers import Registers
from engine.x86.privileged import Privileged, privileged

_FAULT = Event(GENERAL_PROTECTION, 0)
_CR3_KNOWN = (1 << 52) - 1
_OF_RING_0 = frozenset({"rdmsr", "wrmsr", "ltr", "mov"})


class Cpu(Protocol):
    """What a decision takes, beside the instruction."""

    @property
    def begun(self) -> int: ...
    @property
    def ring(self) -> int: ...
    def registers(self) -> Registers: ...
    def msr(self, index: int) -> int: ...


class Guard:
    """Asked before each instruction that may be one of x86.privileged, at RIP."""

    def __init__(self, cpu: Cpu, space: Space, code: Callable[[], bytes]) -> None:
        self._cpu, self._space, self._code = cpu, space, code

    def __call__(self) -> Guarded | None:
        """The exception or the exit that takes the instruction's place; None: it is executed."""
        found = privileged(self._code())
        if found is None:
            return None
        if found.name in _OF_RING_0 and self._cpu.ring:
            return _FAULT
        registers = self._cpu.registers()
        match found.name:
            case "rdmsr" | "wrmsr":
                return self._msr(found, registers)
            case "syscall":
                enabled = self._cpu.msr(msrs.EFER) & x86.EFER_SCE
                return self._system_call(found, registers) if enabled else Event(INVALID_OPCODE)
            case "rdpmc":
                return _FAULT
            case "cpuid" | "rdtsc" | "rdtscp" | "cmpxchg8b" | "cmpxchg16b":
                # Within a block, the engine's flags are wrong behind these where an instruction of it had set them.
                return None if self._cpu.begun == 1 else Anew()
            case "ltr":
                return _FAULT if found.source and not getattr(registers, found.source) & 0xFFFC else None
            case _:
                value = found.value(registers)
                return None if value is None or _takes(found.target, value) else _FAULT

    def _system_call(self, found: Privileged, registers: Registers) -> Jump:
        """The engine takes SYSCALL for a no-operation (SDM Vol. 2, SYSCALL)."""
        selector = self._cpu.msr(msrs.STAR) >> 32 & 0xFFFC
        after = msgspec.structs.replace(
            registers,
            rcx=registers.rip + found.length,
            r11=registers.rflags & ~x86.RFLAGS_RF,
            rip=self._cpu.msr(msrs.LSTAR),
            rflags=registers.rflags & ~self._cpu.msr(msrs.SFMASK) & ~x86.RFLAGS_RF | x86.RFLAGS_FIXED,
        )
        cs, ss = (Segment(selector, x86.DESCRIPTOR_CODE >> 32), Segment(selector + 8, x86.DESCRIPTOR_DATA >> 32))
        return Jump(after, cs, ss)

    def _msr(self, found: Privileged, registers: Registers) -> Guarded | None:
        index = registers.rcx & 0xFFFF_FFFF
        value = None
        if found.name == "wrmsr":
            value = (registers.rdx & 0xFFFF_FFFF) << 32 | registers.rax & 0xFFFF_FFFF
        if index in msrs.KEPT and (value is None or msrs.takes(index, value)):
            return None
        return MsrAccess(index, value, found.length) if self._space.msr_exits else _FAULT


def _takes(target: str, value: int) -> bool:
    """Whether a control or debug register takes the value in 64-bit mode (SDM Vol. 3, 2.5; 18.2)."""
    match target:
        case "cr0":
            paging = x86.CR0_PG | x86.CR0_PE
            known = not value >> 32 and value & paging == paging
            return known and not (value & x86.CR0_NW and not value & x86.CR0_CD)
        case "cr3":
            return not value & ~_CR3_KNOWN
        case "cr4":
            return not value & ~msrs.CR4_BITS and bool(value & x86.CR4_PAE)
        case "cr8":
            return value <= 0xF
        case "dr6" | "dr7":
            return not value >> 32
        case _:
            return True

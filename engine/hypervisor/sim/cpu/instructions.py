"""Instructions that the engine does not do: port I/O and what is guarded stop the run; clock and CPUID are ours."""

import ctypes
from collections.abc import Callable
from typing import Any, Protocol

from unicorn import unicorn_const as uc
from unicorn import x86_const as x86
from unicorn.unicorn_py3 import unicorn as binding
from unicorn.unicorn_py3.arch import intel

from engine.hypervisor.sim.cpu.batch import LIBRARY
from engine.hypervisor.sim.cpuid import DEFAULT, cpuid
from engine.hypervisor.sim.stop import Guarded, PortAccess
from engine.model.cpuid import CpuidLeaf
from engine.model.registers import Registers

_MOST = 128
"""Watched addresses; each costs a nanosecond an instruction, so beyond that every instruction is asked about."""
_RESULTS = (x86.UC_X86_REG_RAX, x86.UC_X86_REG_RBX, x86.UC_X86_REG_RCX, x86.UC_X86_REG_RDX)


class Clock(Protocol):
    """The core, as far as these need it."""

    @property
    def begun(self) -> int:
        """Instructions begun in this run."""
        ...

    @property
    def now(self) -> int:
        """Instructions in all runs."""
        ...

    def repaired(self) -> Registers: ...


class Instructions:
    """Hooks on `engine`, and what they found in the run that they stopped: `port` or `guarded`, after `at` others."""

    def __init__(self, engine: Any, core: Clock) -> None:
        self._uc, self._core = engine, core
        self.answer: int | None = None
        """What IN gets, and that OUT may pass: while set, neither stops the run."""
        self.guard: Callable[[], Guarded | None] | None = None
        self.leaves: tuple[CpuidLeaf, ...] = DEFAULT
        self.port: PortAccess | None = None
        self.guarded: Guarded | None = None
        self.failure: BaseException | None = None
        self.at = 0
        self._watched: set[int] = set()
        self._uc.hook_add(uc.UC_HOOK_INSN, self._on_out, aux1=x86.UC_X86_INS_OUT)
        self._uc.hook_add(uc.UC_HOOK_INSN, self._on_in, aux1=x86.UC_X86_INS_IN)
        self._uc.hook_add(uc.UC_HOOK_INSN, self._on_cpuid, aux1=x86.UC_X86_INS_CPUID)
        # The engine hooks RDTSC, its Python binding does not know that; the callback is like CPUID's.
        for instruction in (x86.UC_X86_INS_RDTSC, x86.UC_X86_INS_RDTSCP):
            callback = binding.uccallback(self._uc, intel.HOOK_INSN_CPUID_CFUNC)(self._on_rdtsc)
            self._uc._Uc__do_hook_add(uc.UC_HOOK_INSN, callback, 1, 0, ctypes.c_int(instruction))

    def begin(self) -> None:
        self.port = self.guarded = self.failure = None

    def watch(self, address: int) -> None:
        """Have the guard asked before an instruction that starts there, once its code is translated."""
        if address in self._watched or len(self._watched) > _MOST:
            return
        self._watched.add(address)
        every = len(self._watched) > _MOST
        begin, end = (1, 0) if every else (address, address)
        self._uc.hook_add(uc.UC_HOOK_CODE, self._on_watched, begin=begin, end=end)

    def _on_watched(self, _uc: Any, _address: int, _size: int, _data: Any) -> None:
        try:
            self.guarded = None if self.guard is None else self.guard()
        except BaseException as failure:  # an exception cannot pass through C
            self.failure = failure
        if self.guarded is not None or self.failure is not None:
            self._stop()

    def _on_out(self, _uc: Any, port: int, size: int, value: int, _data: Any) -> None:
        if self.answer is None:
            self._on_port(port, size, value)

    def _on_in(self, _uc: Any, port: int, size: int, _data: Any) -> int:
        if self.answer is not None:
            return self.answer
        self._on_port(port, size, None)
        return 0

    def _on_port(self, port: int, size: int, value: int | None) -> None:
        self.port = PortAccess(port, size, value, self._core.repaired())
        self._stop()

    def _on_rdtsc(self, _uc: Any, _key: Any) -> int:
        now = self._core.now
        self._uc.reg_write(x86.UC_X86_REG_RAX, now & 0xFFFF_FFFF)
        self._uc.reg_write(x86.UC_X86_REG_RDX, now >> 32)
        return 1

    def _on_cpuid(self, _uc: Any, _key: Any) -> int:
        function, index = (self._uc.reg_read(register) for register in (x86.UC_X86_REG_EAX, x86.UC_X86_REG_ECX))
        for register, value in zip(_RESULTS, cpuid(self.leaves, function, index), strict=True):
            self._uc.reg_write(register, value)
        return 1

    def _stop(self) -> None:
        # What has begun includes this instruction, which is not done before its exit is answered.
        self.at = self._core.begun - 1
        LIBRARY.uc_emu_stop(self._uc._uch)

"""One virtual processor on Unicorn; this folder alone knows the emulator.

RAM is mapped once and never again; rights live in the fill, which UC_HOOK_TLB_FILL asks on each TLB miss (a software
EPT). Exactness rests on `count=`: it makes Unicorn call an internal hook before every instruction, which costs
little (17 to 20 million instructions/s in a store loop with slices of 10,000 on a 2.5 GHz core, against 0.3 million
with a hook in Python) and has two effects that are used here:
- a stop asked for inside an IN or OUT takes effect before the next instruction, not at the end of the block;
- the hook's own counter tells how many instructions were begun. The public interface does not tell, so the counter
  is found in the engine's structure once, by running a known program (calibration.py), and read from there.
What one element of a repeated string instruction does counts as one instruction, its last check as one more; a store
into the running block makes Unicorn begin that instruction twice, which counts it twice. Both repeat exactly.
"""

import ctypes
from typing import Any

import msgspec
from unicorn import unicorn_const as uc
from unicorn import x86_const as x86
from unicorn.unicorn_py3 import unicorn as binding

from engine.abi import x86 as abi
from engine.hypervisor.contract.vectors import DEBUG, INVALID_OPCODE
from engine.hypervisor.sim.cpu.accesses import Accesses
from engine.hypervisor.sim.cpu.batch import LIBRARY, Batch, check
from engine.hypervisor.sim.cpu.calibration import address_offset, counter_offset
from engine.hypervisor.sim.cpu.image import CS, DS, ES, FS, GDT, GS, IDT, LDT, SS, TR, Image
from engine.hypervisor.sim.cpu.instructions import Instructions
from engine.hypervisor.sim.cpu.live import Live
from engine.hypervisor.sim.cpu.shared_state import SharedState
from engine.hypervisor.sim.cpu.system_registers import EngineSystemRegisters
from engine.hypervisor.sim.deliver import Segment, System
from engine.hypervisor.sim.flags import SUSPECT, repaired
from engine.hypervisor.sim.stop import Denied, Raised, Stop, Watcher
from engine.model.layout import DESCRIPTORS
from engine.model.registers import Registers
from engine.model.rights import Access

_CR0, _CR4 = 0x8005_0033, 0x620
"""Paging, write protect, native FPU errors; PAE and SSE."""
_EFER = 0xC000_0080
_RESET_TSS, _RESET_LDT = 0x8B00, 0x8200
"""As after a reset (SDM Vol. 3, 10.1.1): at 0, the TSS busy."""
_FLUSH_TLB = uc.UC_CTL_TLB_FLUSH | uc.UC_CTL_IO_WRITE << 30


class Core:
    """A Uc in 64-bit long mode, ring 0. `ram` and `scratch` are (address, size, host address)."""

    def __init__(self, ram: tuple[int, int, int], scratch: tuple[int, int, int], watcher: Watcher) -> None:
        self._uc: Any = binding.Uc(uc.UC_ARCH_X86, uc.UC_MODE_64)
        # Unlike the default model this one has no RDRAND: a run must repeat.
        self._uc.ctl_set_cpu_model(x86.UC_CPU_X86_QEMU64)
        self._handle: Any = self._uc._uch
        self._watcher = watcher
        self._vector: int | None = None
        self.flushes = 0
        self.executed = 0
        """Instructions in all runs so far; also what RDTSC reads, for the host's clock would not repeat."""
        for address, size, host in (ram, scratch):
            self._uc.mem_map_ptr(address, size, uc.UC_PROT_ALL, host)
        self._uc.ctl_set_tlb_mode(uc.UC_TLB_VIRTUAL)
        # Otherwise the address `until` is probed as code when a run ends.
        self._uc.ctl_exits_enabled(True)
        self._uc.ctl_set_exits([])
        self._accesses = Accesses(self._uc, scratch[:2], watcher)
        self._uc.hook_add(uc.UC_HOOK_INTR, self._on_exception)
        self.instructions = Instructions(self._uc, self)
        self._counter = ctypes.c_size_t.from_address(self._handle.value + counter_offset())
        self._fault_address = ctypes.c_uint64.from_address(self._handle.value + address_offset())
        self._batch = Batch(self._handle)
        self._image = Image(self._uc)
        self.live = Live(self._handle.value)
        self.system_registers = EngineSystemRegisters(self._uc, self._image)
        self.shared = SharedState(self._handle)

    def enter_long_mode(self, cr3: int) -> None:
        """Paging must be on inside the engine too, or MOV to CR3 would not flush its TLB."""
        for register, value in ((x86.UC_X86_REG_CR3, cr3), (x86.UC_X86_REG_CR4, _CR4), (x86.UC_X86_REG_CR0, _CR0)):
            self._uc.reg_write(register, value)
        self._uc.msr_write(_EFER, abi.EFER_LME | abi.EFER_LMA | abi.EFER_NXE)
        self._uc.reg_write(x86.UC_X86_REG_GDTR, (0, DESCRIPTORS, abi.GDT_LIMIT, 0))
        self._image.take()
        for index in (ES, SS, DS, FS, GS):
            self._image.set_segment(index, abi.DATA_SELECTOR, abi.SEGMENT_LIMIT, abi.DESCRIPTOR_DATA >> 32)
        self._image.set_segment(CS, abi.CODE_SELECTOR, abi.SEGMENT_LIMIT, abi.DESCRIPTOR_CODE >> 32)
        self._image.set_segment(TR, 0, abi.RESET_LIMIT, _RESET_TSS)
        self._image.set_segment(LDT, 0, abi.RESET_LIMIT, _RESET_LDT)
        self._image.keep_task_priority()
        self._image.put()
        self.set_registers(Registers())

    def start(self, count: int) -> Stop:
        """Run at most `count` instructions from RIP on."""
        self._accesses.failure = self._vector = None
        self.instructions.begin()
        self._watcher.begin()
        status = LIBRARY.uc_emu_start(self._handle, self.live.rip.value, 0, 0, count)
        failure = self._accesses.failure or self.instructions.failure
        if failure is not None:
            raise failure
        stop = self._stop(count, status)
        self.executed += stop.executed
        return stop

    def _stop(self, count: int, status: int) -> Stop:
        begun, found = self._counter.value, self.instructions
        if found.port is not None and status == uc.UC_ERR_OK:
            return Stop("io", found.at, found.port)
        if found.guarded is not None and begun <= count:
            # No fault: the engine leaves at the hook with its flags as they are, nothing is to be repaired.
            return Stop("guarded", found.at, guarded=found.guarded)
        if self._vector is not None or status == uc.UC_ERR_INSN_INVALID:
            return self._raised(begun)
        if status == uc.UC_ERR_OK:
            return Stop("budget", count) if begun > count else Stop("hlt", begun)
        denied = self._watcher.refused(self._fault_address.value)
        if denied is not None:
            return self._refused(denied, begun)
        return Stop("error", max(0, begun - 1), error=str(binding.UcError(status)))

    def _refused(self, denied: Denied, begun: int) -> Stop:
        if denied.access is Access.EXECUTE:
            return Stop("fault", begun, self.instructions.port, denied=denied)
        self._repair()
        return Stop("fault", begun - 1, self.instructions.port, denied=denied)

    def _raised(self, begun: int) -> Stop:
        """A trap comes behind its instruction, which has been executed; INT n is executed when it is delivered."""
        vector = INVALID_OPCODE if self._vector is None else self._vector
        self._repair()
        self._image.take()
        raised = Raised(vector, *self._image.take_exception())
        self._image.put()
        return Stop("exception", begun if vector == DEBUG else begun - 1, raised=raised)

    @property
    def begun(self) -> int:
        return self._counter.value

    @property
    def now(self) -> int:
        """Of this run too."""
        return self.executed + self._counter.value

    def watch(self, address: int) -> None:
        self.instructions.watch(address)

    def msr(self, index: int) -> int:
        return int(self._uc.msr_read(index))

    @property
    def ring(self) -> int:
        """The privilege level."""
        return self.live.mode.value & 3

    def registers(self) -> Registers:
        return self._batch.read()

    def set_registers(self, registers: Registers) -> None:
        self._batch.write(registers)

    def rip(self) -> int:
        return self.live.rip.value

    def system(self) -> System:
        self._image.take()
        cs, ss, gdt, idt, tss = (self._image.table(index) for index in (CS, SS, GDT, IDT, TR))
        return System(cs.selector, ss.selector, gdt, idt, tss)

    def go(self, registers: Registers, cs: Segment, ss: Segment | None) -> None:
        """Go on there, with the privilege of `cs`; `ss` None: as it is."""
        self._image.take()
        self._image.set_segment(CS, cs.selector, abi.SEGMENT_LIMIT, cs.descriptor)
        if ss is not None:
            self._image.set_segment(SS, ss.selector, abi.SEGMENT_LIMIT if ss.descriptor else 0, ss.descriptor)
        self._image.set_cpl(cs.selector & 3)
        self._image.put()
        self.set_registers(registers)

    def cr2(self) -> int:
        return int(self._uc.reg_read(x86.UC_X86_REG_CR2))

    def set_cr2(self, address: int) -> None:
        self._uc.reg_write(x86.UC_X86_REG_CR2, address)

    def context(self) -> Any:
        """A place for `save`; all registers, FPU included."""
        return self._uc.context_save()

    def save(self, context: Any) -> None:
        self._uc.context_update(context)

    def restore(self, context: Any) -> None:
        self._uc.context_restore(context)

    def state(self) -> bytes:
        """All registers, FPU included, as the engine keeps them."""
        return self._image.state()

    def set_state(self, state: bytes) -> None:
        self._image.restore(state)

    def flush(self) -> None:
        """Forget every translation in the TLB: the next access to each page asks the fill."""
        self.flushes += 1
        check(LIBRARY.uc_ctl(self._handle, _FLUSH_TLB))

    def forget_code(self, offset: int, size: int) -> None:
        """Forget translated code of RAM at `offset`; the TLB must be flushed afterwards."""
        # The call takes a guest address and translates it as a fetch: let RAM stand at its own offsets meanwhile.
        self._accesses.identity = True
        self.flush()
        try:
            self._uc.ctl_remove_cache(offset, offset + size)
        finally:
            self._accesses.identity = False

    def close(self) -> None:
        """Free the engine now; it holds RAM's address. Nothing may be called afterwards."""
        self._uc._Uc__finalizer()

    def _repair(self) -> None:
        if self.live.operation.value in SUSPECT:
            right = self.repaired()
            if right.rflags != self._batch.read().rflags:
                self.set_registers(right)

    def repaired(self) -> Registers:
        """Registers in the middle of a block, where the engine's flags may be wrong (flags.py)."""
        registers = self._batch.read()
        return msgspec.structs.replace(registers, rflags=repaired(registers.rflags, self.live.lazy()))

    def _on_exception(self, _uc: Any, vector: int, _data: Any) -> None:
        # The first one only: what comes after the stop is not to happen.
        if self._vector is None:
            self._vector = vector
        LIBRARY.uc_emu_stop(self._handle)

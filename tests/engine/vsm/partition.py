"""A partition as a test sees it: VSM state, a MiB of memory, masks and registers, changed by nothing but effects."""

import ctypes
from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from engine.abi import x86
from engine.abi.tlfs.registers import RegisterName as Name
from engine.model.rights import Rights
from engine.vsm.apply import apply
from engine.vsm.calls.table import calls
from engine.vsm.context import InitialContext
from engine.vsm.control import InputValue
from engine.vsm.dispatch import Served, serve
from engine.vsm.effects import AnyEffect, SetDefaultMask, SetMask, SetRegister, WriteMemory
from engine.vsm.parameters import CallRegisters, Denied, Undefined
from engine.vsm.profile import TLFS, Profile
from engine.vsm.state import RESET_CONFIG, PartitionState, PartitionVtl, new_partition
from engine.vsm.view import Caller

PAGES = 256
INPUT = 0x2000
OUTPUT = 0x3000
LONG_MODE = InitialContext(
    rip=0x10000,
    rsp=0x9000,
    cr0=x86.CR0_PE | x86.CR0_PG,
    cr3=0x1000,
    cr4=x86.CR4_PAE,
    efer=x86.EFER_LME | x86.EFER_LMA,
)
Structure = ctypes.LittleEndianStructure


class Partition:
    """A View, a Memory, and what performs effects."""

    def __init__(self, profile: Profile = TLFS, vps: int = 2, maximum_vtl: int = 1, mbec: bool = False) -> None:
        self.profile = profile
        self.partition: PartitionState = new_partition(vps, maximum_vtl, mbec)
        self.memory = bytearray(PAGES << 12)
        self.masks: dict[tuple[int, int, int], Rights] = {}
        self.defaults: dict[int, Rights] = {}
        self.registers: dict[tuple[int, int, int], int] = {}
        self.unreadable: set[int] = set()
        self.unwritable: set[int] = set()
        self.effects: list[AnyEffect] = []
        for vp in range(vps):
            self.registers |= {(vp, 0, name): 0 for name in (Name.RAX, Name.RIP, Name.CS, Name.CR2)}
            self.registers |= {(vp, 0, Name.CR0): LONG_MODE.cr0, (vp, 0, Name.CR3): LONG_MODE.cr3}
            self.registers |= {(vp, 0, Name.EFER): LONG_MODE.efer | x86.EFER_NXE}

    def register(self, vp: int, vtl: int, name: int) -> int | None:
        return self.registers.get((vp, vtl, name))

    def cpl(self, vp: int, vtl: int) -> int:
        return 0

    def is_ram(self, gfn: int) -> bool:
        return gfn < PAGES

    def mask(self, setter: int, target: int, gfn: int) -> Rights:
        return self.masks.get((setter, target, gfn), self.defaults.get(setter, Rights.RWX))

    def host_rights(self, gfn: int) -> Rights:
        return Rights.RWX

    def read_u64(self, gpa: int) -> int | None:
        return int.from_bytes(self.memory[gpa : gpa + 8], "little") if gpa >> 12 < PAGES else None

    def read(self, gpa: int, size: int) -> bytes | None:
        gfn = gpa >> 12
        return bytes(self.memory[gpa : gpa + size]) if gfn < PAGES and gfn not in self.unreadable else None

    def may_write(self, gpa: int) -> bool:
        return gpa >> 12 < PAGES and gpa >> 12 not in self.unwritable

    def perform(self, effects: Iterable[AnyEffect]) -> None:
        self.effects = list(effects)
        self.partition = apply(self.partition, self.effects)
        for effect in self.effects:
            match effect:
                case WriteMemory(gpa, data):
                    self.memory[gpa : gpa + len(data)] = data
                case SetMask(setter, targets, gfns, rights):
                    self.masks |= {(setter, target, gfn): rights for target in targets for gfn in gfns}
                case SetDefaultMask(setter, rights):
                    self.defaults[setter] = rights
                case SetRegister(vp, vtl, name, value):
                    self.registers[vp, vtl, name] = value
                case _:
                    pass

    def enable(self, *vtls: int, mbec: bool = False, protects: bool = True) -> "Partition":
        """These VTLs, for the partition and on every processor, as their own calls would."""
        for vtl in vtls:
            config = RESET_CONFIG | protects
            self.partition = self.partition.with_vtl(vtl, _enabled(mbec, config))
            for vp in range(len(self.partition.vps)):
                self.partition = self.partition.with_vp_vtl(vp, vtl, lambda old: replace(old, enabled=True))
        return self

    def once(self, caller: Caller, registers: CallRegisters) -> Served | Undefined | Denied:
        """One stretch of a call, its effects performed."""
        served = serve(calls(self.profile), caller, self, self, registers)
        if isinstance(served, Served):
            self.perform(served.effects)
        return served

    def call(
        self,
        code: int,
        header: Structure,
        reps: Sequence[Structure] | None = None,
        caller: Caller | None = None,
        fast: bool = False,
    ) -> Served:
        """A whole call, made again while it is to be continued. Input and output are at INPUT and OUTPUT, or in
        registers."""
        data = bytes(header).ljust(-(-ctypes.sizeof(header) // 8) * 8, b"\x00") + b"".join(map(bytes, reps or ()))
        rcx = InputValue(code=code, fast=fast, rep_count=len(reps or ())).encode()
        registers = CallRegisters(rcx=rcx, rdx=INPUT, r8=OUTPUT)
        if fast:
            registers = registers.with_output(0, data.ljust(112, b"\x00"))
        else:
            self.memory[INPUT : INPUT + len(data)] = data
        while True:
            served = self.once(caller or Caller(0, 0), registers)
            assert isinstance(served, Served)
            if served.finished:
                return served
            registers = served.registers

    def output(self, size: int) -> bytes:
        return bytes(self.memory[OUTPUT : OUTPUT + size])


def _enabled(mbec: bool, config: int) -> Callable[[PartitionVtl], PartitionVtl]:
    return lambda old: replace(old, enabled=True, mbec=mbec, config=config)

"""The conformance checks' guest, for tests: what this host cannot is skipped."""

import pytest

from engine.conformance.guest import MIB, RAM
from engine.conformance.guest import Guest as ConformanceGuest
from engine.model.exits import AnyExit, HltExit, InternalError, MemoryExit, ShutdownExit
from engine.model.layout import PML4
from engine.model.resolution import Complete, Resolution
from engine.model.rights import Rights
from engine.model.system_registers import Segment, SystemRegisters, TableRegister

__all__ = ["LONG_MODE", "MIB", "RAM", "Guest", "all_exits", "emulates", "facts"]

_CODE, _DATA = Segment(0, 0xFFFF_FFFF, 8, 0xA09B), Segment(0, 0xFFFF_FFFF, 16, 0xC093)
LONG_MODE = SystemRegisters(
    cr0=0x8005_0033, cr3=PML4, cr4=0x620, efer=0xD00,
    cs=_CODE, ds=_DATA, es=_DATA, fs=_DATA, gs=_DATA, ss=_DATA, tr=Segment(0, 0xFFFF, 0, 0x8B),
    gdtr=TableRegister(0, 23), pat=0x0007_0406_0007_0406,
)  # fmt: skip
"""What a vCPU can begin with."""


class Guest(ConformanceGuest):
    def fence(self, rights: Rights, gpa: int = ConformanceGuest.PAGE, pages: int = 1) -> None:
        """Set VTL0's mask; skip the test where this host cannot."""
        if not self.vm.capabilities.enforces(rights):
            pytest.skip(f"{self.vm.capabilities.label}: {self.vm.capabilities.mask_reason}")
        super().fence(rights, gpa, pages)

    def is_real(self) -> bool:
        return self.vm.capabilities.real


def facts(exit: AnyExit) -> tuple[str, str, int, int]:
    """What, how, where within the page at hand, and how much."""
    assert isinstance(exit, MemoryExit), exit
    return type(exit).__name__, str(exit.access), exit.gpa, exit.size


def emulates(guest: Guest) -> bool:
    """Whether the kernel emulates this guest's instructions, so that a denied one is half done at its exit."""
    return not guest.vm.capabilities.denies_whole


def all_exits(guest: Guest, *answers: Resolution) -> list[AnyExit]:
    """Up to the end, whatever it is; Complete when the answers have been given."""
    found, given = list[AnyExit](), iter(answers)
    while len(found) < 50:
        found.append(guest.vcpu.run())
        if isinstance(found[-1], HltExit | ShutdownExit | InternalError):
            break
        guest.vcpu.resolve(found[-1], next(given, Complete()))
    return found

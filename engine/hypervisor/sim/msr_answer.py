"""The end of an RDMSR or WRMSR that has exited, by the VMM's answer."""

from msgspec.structs import replace

from engine.hypervisor.sim.cpu.core import Core
from engine.hypervisor.sim.stop import MsrAccess
from engine.model.resolution import Complete, Drop


def finish(core: Core, access: MsrAccess, resolution: Complete | Drop) -> None:
    """It counts as executed now. A read gets the bytes of Complete, or zeros, in EDX:EAX."""
    registers = core.registers()
    after = {"rip": registers.rip + access.length}
    if access.value is None:
        data = resolution.data if isinstance(resolution, Complete) else None
        value = int.from_bytes((data or b"")[:8], "little")
        after |= {"rax": value & 0xFFFF_FFFF, "rdx": value >> 32}
    core.set_registers(replace(registers, **after))
    core.executed += 1

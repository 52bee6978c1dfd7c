"""What a hypercall sees of a machine: its masks, slots, memory, and the registers of the calling vCPU."""

from engine.abi.tlfs.registers import RegisterName as Name
from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.contract.protocols import Vcpu, Vm
from engine.machine.vsm_registers import PRIVATE, SHARED, SYSTEM, XMM, read_system, read_xmm
from engine.machine.vsm_state import Private, Vsm
from engine.model.address import PAGE_SHIFT
from engine.model.layout import SYSTEM_AREA
from engine.model.registers import Registers
from engine.model.rights import Rights
from engine.model.system_registers import SystemRegisters
from engine.vsm.profile import Profile
from engine.vsm.state import PartitionState


class MachineView:
    """A View and a Memory of the vsm layer, for one call of one vCPU that is out of the guest."""

    def __init__(self, vm: Vm, vsm: Vsm, vcpu: Vcpu, registers: Registers) -> None:
        self.profile: Profile = vsm.profile
        self.partition: PartitionState = vsm.partition
        self._vm, self._vsm, self._vcpu, self._registers = vm, vsm, vcpu, registers
        self._slots = tuple(vm.slots.values())
        self._system: dict[int, SystemRegisters] = {}
        """By VTL, those that were looked at."""

    def register(self, vp: int, vtl: int, name: int) -> int | None:
        """Of the calling processor only: others may be in the guest."""
        if vp != self._vcpu.index:
            return None
        if name in SHARED:
            return getattr(self._registers, SHARED[name])
        if name in SYSTEM:
            return read_system(self._system_registers(vtl), name)
        if name == Name.CR2:
            return self._vcpu.cr2()
        if name in XMM:
            return read_xmm(self._vcpu.xmm(), name)
        if name not in PRIVATE:
            return None
        own = Private.of(self._registers) if vtl == self._vcpu.vtl else self._vsm.private.get((vp, vtl))
        return getattr(own, PRIVATE[name]) if own else None

    def cpl(self, vp: int, vtl: int) -> int:
        """0 for another processor than the calling one, whose registers are not given either."""
        return self._system_registers(vtl).cpl if vp == self._vcpu.index else 0

    def _system_registers(self, vtl: int) -> SystemRegisters:
        found = self._system.get(vtl)
        if found is None:
            found = self._system[vtl] = self._vcpu.system_registers(vtl)
        return found

    def is_ram(self, gfn: int) -> bool:
        """In a slot, and outside the system area, where masks are refused as in scenarios."""
        return gfn not in SYSTEM_AREA and self._in_slot(gfn)

    def mask(self, setter: int, target: int, gfn: int) -> Rights:
        return self._vsm.masks.get(self._vm, setter, target, gfn)

    def host_rights(self, gfn: int) -> Rights:
        readonly = any(slot.readonly and gfn in slot.pages for slot in self._slots)
        return Rights.RX if readonly else Rights.RWX

    def read_u64(self, gpa: int) -> int | None:
        data = self._bytes(gpa, 8)
        return None if data is None else int.from_bytes(data, "little")

    def read(self, gpa: int, size: int) -> bytes | None:
        return self._bytes(gpa, size) if Rights.R in self._vm.mask(self._vcpu.vtl, gpa >> PAGE_SHIFT) else None

    def may_write(self, gpa: int) -> bool:
        gfn = gpa >> PAGE_SHIFT
        return self._in_slot(gfn) and Rights.W in self._vm.mask(self._vcpu.vtl, gfn) & self.host_rights(gfn)

    def _in_slot(self, gfn: int) -> bool:
        return any(gfn in slot.pages for slot in self._slots)

    def _bytes(self, gpa: int, size: int) -> bytes | None:
        try:
            return self._vm.memory(self._vcpu.vtl).read(gpa, size)
        except HypervisorError:
            return None

"""The contract: what every hypervisor offers, with KVM's meaning and errnos (hypervisor.md 2.8)."""

from typing import Protocol

from engine.hypervisor.contract.capabilities import Capabilities
from engine.model.address import PageRange
from engine.model.exits import AnyExit
from engine.model.memslot import Memslot
from engine.model.registers import Registers
from engine.model.resolution import Resolution
from engine.model.rights import Rights


class GuestMemory(Protocol):
    """The VMM's own view of guest-physical memory, through the slots; masks do not bind it.

    `write` is a writer outside KVM_RUN: it marks pages of logged slots dirty itself, for no kernel does.
    """

    def read(self, gpa: int, size: int) -> bytes:
        """EFAULT (HypervisorError) when any byte is in no slot."""
        ...

    def write(self, gpa: int, data: bytes) -> None:
        """EFAULT (HypervisorError) when any byte is in no slot; nothing is written then."""
        ...


class Vcpu(Protocol):
    """One virtual processor in 64-bit long mode, ring 0, flat segments."""

    index: int

    @property
    def vtl(self) -> int:
        """The VTL it executes in."""
        ...

    @property
    def instructions(self) -> int | None:
        """Guest instructions executed so far; None where the hypervisor does not count."""
        ...

    def run(self, budget: int | None = None) -> AnyExit:
        """Enter the guest until it exits.

        `budget`: at most so many instructions, then Interrupted; only where counts_instructions. The exit must be
        answered by resolve before the next run, except Interrupted, HltExit, ShutdownExit and InternalError.
        """
        ...

    def resolve(self, exit: AnyExit, resolution: Resolution) -> None:
        """Answer the exit that run just returned; it takes effect by the next run or settle. Called by the same
        thread as run. Unsupported when this host cannot carry out the resolution for this exit."""
        ...

    def settle(self) -> None:
        """Finish a pending operation without executing further, so that registers and memory are whole."""
        ...

    def kick(self) -> None:
        """From any thread: make the current or the next run return Interrupted soon."""
        ...

    def registers(self) -> Registers:
        """Between runs only; rip is the next instruction, or the denied one while its exit is unanswered."""
        ...

    def set_registers(self, registers: Registers) -> None: ...

    def enter_vtl(self, vtl: int) -> None:
        """Go on in another VTL, with that VTL's own registers. EINVAL for a VTL the vm does not have."""
        ...


class Vm(Protocol):
    """A guest with all its VTLs: slots in common, rights per VTL. VTL n's mask is set by a higher VTL."""

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def slots(self) -> dict[int, Memslot]:
        """Present slots by id; a copy."""
        ...

    def set_memory_region(self, slot: Memslot) -> None:
        """Add, change, move, or with size 0 delete. Errnos as KVM_SET_USER_MEMORY_REGION: EINVAL, EEXIST."""
        ...

    def set_mask(self, vtl: int, pages: PageRange, rights: Rights) -> None:
        """Rights of VTL `vtl` on pages, whether or not a slot is there now; they stay with the gfn.

        Unsupported when capabilities do not enforce the mask; EINVAL for the highest VTL, an unknown VTL or a mask
        TLFS calls invalid.
        """
        ...

    def mask(self, vtl: int, gfn: int) -> Rights:
        """RWX where none was set."""
        ...

    def masks(self, vtl: int, within: PageRange | None = None) -> list[tuple[PageRange, Rights]]:
        """Maximal runs that are not RWX, ascending; cut to `within` when given, and then its size is the cost."""
        ...

    def get_dirty_log(self, slot: int) -> bytes:
        """Bitmap of pages written since the last call, by any VTL or by GuestMemory.write or a completed store;
        reading clears. ENOENT: no such slot, or not logged. EINVAL: id too large."""
        ...

    def memory(self, vtl: int = 0) -> GuestMemory: ...

    def ram(self) -> memoryview:
        """All of RAM by offset, read-only view: for hashing."""
        ...

    def create_vcpu(self, index: int, cr3: int) -> Vcpu:
        """In VTL 0, long mode, page tables at `cr3`, all general registers 0. EEXIST, EINVAL as KVM_CREATE_VCPU."""
        ...

    def close(self) -> None: ...


class Hypervisor(Protocol):
    @property
    def capabilities(self) -> Capabilities: ...

    def create_vm(self, ram: int, vtls: int = 2, seed: int = 1) -> Vm:
        """A vm with `ram` bytes of zeroed, lazily backed memory and no slots. HypervisorMissing when it is not there.
        `seed` feeds whatever the hypervisor draws by chance; a real one draws nothing."""
        ...

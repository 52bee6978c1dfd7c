"""The contract: what every hypervisor offers, with KVM's meaning and errnos (api.rst).

Calls are answered with a HypervisorError that carries the errno, or with Unsupported where this host cannot. A vm that
is closed answers a run with EBADF.
"""

from typing import Protocol, TypeVar

from engine.hypervisor.contract.capabilities import Capabilities
from engine.hypervisor.contract.registers import VtlRegisters
from engine.model.address import PageRange
from engine.model.cpuid import CpuidLeaf
from engine.model.dirty import DirtyPage, DirtyWay, RingHarvest
from engine.model.exits import AnyExit
from engine.model.memslot import Memslot
from engine.model.page_set import PageSet
from engine.model.registers import Registers
from engine.model.resolution import Inject, Resolution
from engine.model.rights import Rights

E = TypeVar("E")


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


class Vcpu(VtlRegisters, Protocol):
    """One virtual processor in 64-bit long mode, ring 0, flat segments."""

    index: int

    @property
    def vtl(self) -> int:
        """The VTL it executes in."""
        ...

    @property
    def ring(self) -> int:
        """The privilege level that it executes with; of the denied instruction, while its exit is unanswered."""
        ...

    @property
    def instructions(self) -> int | None:
        """Guest instructions executed so far; None where the hypervisor does not count."""
        ...

    def run(self, budget: int | None = None) -> AnyExit:
        """Enter the guest until it exits.

        `budget`: at most so many instructions, then Interrupted; any number where counts_instructions, 1 where
        single_step, else Unsupported.

        EBUSY: the last exit is not answered. Only Interrupted, HltExit, RingFullExit, ShutdownExit and InternalError
        need no answer. After a RingFullExit nothing executes until rings are harvested and reset; after a ShutdownExit
        nothing ever does, and each run returns it again.
        """
        ...

    def resolve(self, exit: AnyExit, resolution: Resolution) -> None:
        """Answer the exit that run just returned; it takes effect by the next run or settle. Called by the same
        thread as run. Unsupported when this host cannot carry out the resolution for this exit, and EINVAL for an
        Inject that `inject` refuses: the exit waits still. Exits that need no answer take any, to no effect."""
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

    def set_registers(self, registers: Registers) -> None:
        """Of the VTL it executes in, between runs. EBUSY: an exit waits for its answer, or on KVM an answered
        access is still to be made."""
        ...

    @property
    def cpuid(self) -> tuple[CpuidLeaf, ...]:
        """What CPUID tells the guest: of a new vCPU, what this host's hypervisor offers."""
        ...

    def set_cpuid(self, leaves: tuple[CpuidLeaf, ...]) -> None:
        """What CPUID tells the guest from now on, in every VTL (KVM_SET_CPUID2). EINVAL: a leaf twice, more than 256, a
        number that is not of 32 bits, or another table than it has once it has run."""
        ...

    def inject(self, event: Inject) -> None:
        """Have the guest take an exception before its next instruction (KVM_SET_VCPU_EVENTS): through its IDT, or as a
        double or triple fault where it has none. Between runs. EINVAL: no vector from 0 to 31, NMI, or an error code
        that does not go with the vector. EBUSY: an exit waits for its answer, or an answered access is still to be
        made. Unsupported: #BP and #OF on KVM, which takes them for the traps of instructions."""
        ...

    def interrupt(self, vector: int) -> bool:
        """Have the guest take an external interrupt before its next instruction, through its IDT (KVM_INTERRUPT).
        False: it may not now, for RFLAGS.IF is clear, or STI has just set it, or an exception or interrupt comes first.
        From then on, until another VTL is entered, run returns Interrupted as soon as it may. Between runs. EINVAL: no
        vector from 16 to 255. EBUSY as for inject."""
        ...

    def enter_vtl(self, vtl: int) -> None:
        """Go on in another VTL, with its own general and system registers, and the XMM and x87 registers and the CR2
        that all share. EINVAL for a VTL the vm does not have; EBUSY as for inject, but an access answered with Retry is
        left: its instruction starts afresh in its own VTL. Unsupported where KVM cannot take it back, as for an
        Inject."""
        ...

    def harvest_dirty_ring(self) -> RingHarvest:
        """Take out what this vCPU has written since the last harvest, in ring order, one VTL after the other: each has
        a ring of its own. A page can come more than once. From any thread, running or not. EINVAL: no ring is on.

        Order of things (api.rst 8.29): harvest, Vm.reset_dirty_rings, and only then read the pages. A page read before
        the reset can be written again in between without being told.
        """
        ...


class Vm(Protocol):
    """A guest with all its VTLs: slots in common, rights per VTL. VTL n's mask is set by a higher VTL."""

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def slots(self) -> dict[int, Memslot]:
        """Present slots by id; a copy."""
        ...

    @property
    def vcpus(self) -> tuple[Vcpu, ...]:
        """Those made so far."""
        ...

    @property
    def dirty_way(self) -> DirtyWay:
        """How written pages are told now."""
        ...

    def set_memory_region(self, slot: Memslot) -> None:
        """Add, change, move, or with size 0 delete. Errnos as KVM_SET_USER_MEMORY_REGION: EINVAL, EEXIST;
        ENOMEM where the host has no room for another mapping. Bits 31 to 16 of the number choose an address space."""
        ...

    def set_mask(self, vtl: int, pages: PageRange | PageSet, rights: Rights) -> None:
        """Rights of VTL `vtl` on pages, whether or not a slot is there now; they stay with the gfn. All or none. KX is
        for ring 3 too, unless ModeBasedExecution has UX for it.

        Unsupported when capabilities do not enforce the mask; EINVAL for the highest VTL, an unknown VTL, a mask
        TLFS calls invalid, or pages beyond the first 4 GiB; ENOMEM where the host has no room for so many runs.
        """
        ...

    def mask(self, vtl: int, gfn: int) -> Rights:
        """RWX where none was set. EINVAL for an unknown VTL, as for `masks`."""
        ...

    def masks(self, vtl: int, within: PageRange | None = None) -> list[tuple[PageRange, Rights]]:
        """Maximal runs that are not RWX, ascending; cut to `within` when given, and then its size is the cost."""
        ...

    def get_dirty_log(self, slot: int) -> bytes:
        """Bitmap of pages written since the last call, by any VTL or by GuestMemory.write or a completed store;
        reading clears, unless manual protection is on. In whole 64-bit words, little-endian, bit 0 is the slot's first
        page. ENXIO: a dirty ring is on. EINVAL: id too large. ENOENT: no such slot, or not logged."""
        ...

    def enable_manual_protect(self, flags: int) -> None:
        """From now on get_dirty_log only reads, and clear_dirty_log clears (KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2).

        `flags`: ManualProtect; OFF goes back. INITIALLY_SET is for slots whose log begins later. EINVAL: any but
        0, 1 and 3. Unsupported where the kernel lacks it.
        """
        ...

    def clear_dirty_log(self, slot: int, first_page: int, num_pages: int, bitmap: bytes) -> None:
        """Clean the pages whose bit is set in `bitmap` (bit 0: `first_page`), so that their next write is told again.

        Works without manual protection too. ENXIO: a dirty ring is on. EINVAL: slot id too large; `first_page` no
        multiple of 64; the range leaves the slot; `num_pages` no multiple of 64, unless the slot ends there. ENOENT: no
        such slot, or not logged. EFAULT: `bitmap` is shorter than the range, in whole 64-bit words.
        """
        ...

    def enable_dirty_ring(self, size: int) -> None:
        """Each vCPU gets, in each VTL, a ring of `size` bytes, 16 an entry, in place of bitmaps (api.rst 8.29).

        EINVAL: no power of two, too small for the entries KVM reserves (4 KiB is the least anywhere), a ring is on
        already, or there is a vCPU. E2BIG: over capabilities.ring_bytes. Unsupported where the kernel lacks it.
        """
        ...

    def reset_dirty_rings(self) -> int:
        """Give harvested entries back and have their pages told again when next written; how many entries. EINVAL: no
        ring is on."""
        ...

    def harvest_vmm_writes(self) -> tuple[DirtyPage, ...]:
        """While a ring is on: pages that GuestMemory.write and completed stores wrote since the last call, each once,
        ascending. They are written outside KVM_RUN, so no ring has them. EINVAL: no ring is on."""
        ...

    def enable_msr_exits(self) -> None:
        """From now on an RDMSR or WRMSR that would be #GP exits instead (KVM_CAP_X86_USER_SPACE_MSR), and so does any
        of Hyper-V's registers (0x40000000 to 0x400001FF), which some kernels keep themselves. Unsupported where the
        kernel lacks it."""
        ...

    def extension(self, kind: type[E]) -> E:
        """What only some hosts can do, as an object (contract/extensions.py): had, or Unsupported with the reason."""
        ...

    def memory(self, vtl: int = 0) -> GuestMemory:
        """The same for every VTL. EINVAL for one the vm does not have."""
        ...

    def ram(self) -> memoryview:
        """All of RAM by offset, read-only view: for hashing."""
        ...

    def create_vcpu(self, index: int, cr3: int) -> Vcpu:
        """In VTL 0, long mode, page tables at `cr3`, all general registers 0, no IDT, and as GDT the three entries of
        x86.descriptors at layout.DESCRIPTORS. EEXIST as KVM_CREATE_VCPU, EINVAL also from layout.MAX_VCPUS on."""
        ...

    def close(self) -> None:
        """No vCPU may be running. Closing again does nothing."""
        ...


class Hypervisor(Protocol):
    @property
    def capabilities(self) -> Capabilities: ...

    def create_vm(self, ram: int, vtls: int = 2, seed: int = 1) -> Vm:
        """A vm with `ram` bytes of zeroed, lazily backed memory and no slots. HypervisorMissing when it is not there.
        EINVAL: no whole pages, over layout.MAX_RAM, or not one VTL.
        `seed` feeds whatever the hypervisor draws by chance; a real one draws nothing."""
        ...

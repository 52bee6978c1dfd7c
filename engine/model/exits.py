"""Exits: each return of a vCPU to the VMM, as a typed value with its raw facts."""

import msgspec

from engine.model.rights import Access


class Exit(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag_field="kind"):
    """What every exit has: the vCPU, its VTL and the address of the instruction that caused it (0 if not known)."""

    vcpu: int
    vtl: int = 0
    rip: int = 0
    code: bytes = b""
    """Bytes of the instruction at `rip`, empty when the exit is not one instruction's doing."""
    text: str = ""
    """The same instruction in Intel syntax; empty when `code` is."""
    raw: str = ""
    """The hypervisor's own words, e.g. `KVM_EXIT_MMIO len 8`; for people, never parsed."""


class MemoryExit(Exit, frozen=True, gc=False, kw_only=True):
    """An access that the vCPU could not finish alone: at most 8 bytes, within one page."""

    gpa: int
    gva: int | None = None
    """The guest-virtual address that led to `gpa`; None where the instruction's operands do not tell."""
    access: Access
    size: int = 0
    data: bytes | None = None
    """The bytes of a store; None for loads, fetches, and stores whose value the hypervisor does not tell."""


class ProtectionExit(MemoryExit, frozen=True, gc=False, kw_only=True, tag="protection"):
    """The page is in a slot, but the VTL's mask lacks the right. `rip` is the denied instruction's address."""


class VoidExit(MemoryExit, frozen=True, gc=False, kw_only=True, tag="void"):
    """No slot held the page when it was accessed."""


class MmioExit(MemoryExit, frozen=True, gc=False, kw_only=True, tag="mmio"):
    """A store to a READONLY slot: emulated device memory, by KVM's meaning."""


class IoExit(Exit, frozen=True, gc=False, kw_only=True, tag="io"):
    """IN or OUT: `size` 1, 2 or 4 bytes; `data` holds the bytes going out, None for IN."""

    port: int
    size: int
    data: bytes | None = None


class MsrExit(Exit, frozen=True, gc=False, kw_only=True, tag="msr"):
    """RDMSR or WRMSR of a register that the hypervisor does not keep itself (api.rst 5, KVM_EXIT_X86_RDMSR), once
    Vm.enable_msr_exits was called. `data` holds the 8 bytes going in, None for RDMSR."""

    index: int
    data: bytes | None = None


class HypercallExit(Exit, frozen=True, gc=False, kw_only=True, tag="hypercall"):
    """A hypercall: RCX, RDX and R8 (TLFS, Hypercall Interface). Through the VMM's hypercall page the machine makes it
    of an IoExit; a hypervisor gives it once contract.extensions.KernelHyperV is on, to be answered with RAX."""

    input: int
    rdx: int
    r8: int


class SynicExit(Exit, frozen=True, gc=False, kw_only=True, tag="synic"):
    """The guest has written a register of the SynIC that the kernel keeps (api.rst 5, KVM_EXIT_HYPERV_SYNIC); needs no
    answer. `rip` is past the instruction."""

    index: int
    """Of the MSR."""
    control: int
    """SCONTROL, SIEFP and SIMP as they are now."""
    event_page: int
    message_page: int


class HltExit(Exit, frozen=True, gc=False, kw_only=True, tag="hlt"):
    """HLT; `rip` is past it, the next run goes on after it."""


class RingFullExit(Exit, frozen=True, gc=False, kw_only=True, tag="ring_full"):
    """The vCPU's dirty ring has reached its soft limit (api.rst 8.29); nothing executes until it has been harvested and
    reset. `rip` is the next instruction."""


class Interrupted(Exit, frozen=True, gc=False, kw_only=True, tag="interrupted"):
    """The run ended by a kick or at the end of its budget; nothing happened in the guest."""


class ShutdownExit(Exit, frozen=True, gc=False, kw_only=True, tag="shutdown"):
    """Triple fault."""


class InternalError(Exit, frozen=True, gc=False, kw_only=True, tag="internal_error"):
    """The hypervisor could not go on; `facts` are its numbers (suberror, data) by name."""

    facts: dict[str, int] = {}


AnyExit = (
    ProtectionExit
    | VoidExit
    | MmioExit
    | IoExit
    | MsrExit
    | HypercallExit
    | SynicExit
    | HltExit
    | RingFullExit
    | Interrupted
    | ShutdownExit
    | InternalError
)


def exit_kind(exit: Exit) -> str:
    """`"protection"`, `"void"`, ...: the exit's name on the wire and on the screen."""
    kind = type(exit).__struct_config__.tag
    assert isinstance(kind, str)
    return kind

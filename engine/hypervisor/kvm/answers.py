"""Resolutions carried out on a vCPU: bytes into kvm_run, stores into RAM, RIP moved."""

from msgspec.structs import replace

from engine.hypervisor.contract.errors import Unsupported
from engine.hypervisor.kvm.address_space import AddressSpace
from engine.hypervisor.kvm.pending import LOAD, STORE, Denied, Io
from engine.hypervisor.kvm.rewind import before, rewind
from engine.hypervisor.kvm.space import GuestSpace
from engine.hypervisor.kvm.undo import undo
from engine.hypervisor.kvm.vcpu_fd import VcpuFd
from engine.model.resolution import Complete, Resolution
from engine.model.rights import Access
from engine.x86.decode import decode, decode_raw

ONES = b"\xff"


def io(fd: VcpuFd, pending: Io, resolution: Resolution) -> None:
    """Bytes for an IN, all ones where none are given."""
    data = resolution.data if isinstance(resolution, Complete) else None
    fd.page.put_io(padded(data, pending.size))


def give(fd: VcpuFd, denied: Denied, data: bytes | None) -> None:
    """The bytes a load gets, all ones for None; a store is left as it is, so that it vanishes."""
    if denied.shape is LOAD:
        fd.page.put_mmio(padded(data, denied.size))


def complete(space: GuestSpace, fd: VcpuFd, denied: Denied) -> bool:
    """Let the load or store reach RAM; False when its page cannot take it any more."""
    if denied.shape is STORE:
        return space.store(denied.gpa, denied.data or b"")
    data = space.load(denied.gpa, denied.size)
    if data is None:
        return False
    fd.page.put_mmio(data)
    return True


def rewound(addresses: AddressSpace, fd: VcpuFd, denied: Denied) -> bool:
    """Whether the vCPU is back at the start of the instruction.

    A load has not begun: KVM still waits for its bytes, and gives up that wait for nothing; it is asked again later.
    """
    if denied.shape is LOAD:
        return False
    registers = before(addresses, denied, fd.registers())
    if registers is None:
        return False
    rewind(fd, registers)
    return True


def skip(fd: VcpuFd, denied: Denied, resolution: Resolution) -> None:
    """Move RIP past an instruction of which nothing has happened. Unsupported when more than a store would be lost."""
    found, name = decode(denied.origin.code, denied.origin.rip), type(resolution).__name__
    if found is None:
        raise Unsupported(name, f"no instruction at {denied.origin.rip:#x} to move past")
    if denied.access is Access.READ:
        raise Unsupported(name, "this KVM reports a denied load before executing it and takes no bytes for it")
    if denied.access is Access.WRITE and not found.locked and not _only_stores(denied, fd):
        raise Unsupported(name, f"`{found.text}` also changes registers, and this KVM reports it before executing it")
    fd.set_registers(replace(fd.registers(), rip=found.rip + found.length))


def padded(data: bytes | None, size: int) -> bytes:
    """`size` bytes: those given, zeros after them; all ones when none are given."""
    return ONES * size if data is None else data[:size].ljust(size, b"\0")


def _only_stores(denied: Denied, fd: VcpuFd) -> bool:
    found, registers = decode_raw(denied.origin.code, denied.origin.rip), fd.registers()
    return found is not None and undo(found, registers, b"") == registers and not found.rflags_modified

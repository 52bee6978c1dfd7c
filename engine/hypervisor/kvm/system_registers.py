"""A kernel vCPU's system registers as the contract has them: KVM_GET_SREGS and KVM_GET_MSRS, and back."""

from typing import Any

from engine.abi.kvm import Dtable, Sregs
from engine.abi.kvm import Segment as KvmSegment
from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.kvm.vcpu_fd import VcpuFd
from engine.model.system_registers import MSRS, SEGMENTS, Segment, SystemRegisters, TableRegister

_CONTROL = ("cr0", "cr3", "cr4", "cr8", "efer")
_TABLES = {"idtr": "idt", "gdtr": "gdt"}
_SEGMENTS = {name: "ldt" if name == "ldtr" else name for name in SEGMENTS}
_BITS = {
    "type": (0, 4),
    "s": (4, 1),
    "dpl": (5, 2),
    "present": (7, 1),
    "avl": (12, 1),
    "l": (13, 1),
    "db": (14, 1),
    "g": (15, 1),
}
"""Fields of struct kvm_segment: where in a descriptor's attributes, and how many bits."""
_INDICES = list(MSRS.values())


def read(fd: VcpuFd) -> SystemRegisters:
    sregs = fd.sregs()
    fields: dict[str, Any] = {name: getattr(sregs, name) for name in _CONTROL}
    fields |= {name: _segment(getattr(sregs, field)) for name, field in _SEGMENTS.items()}
    fields |= {name: _table(getattr(sregs, field)) for name, field in _TABLES.items()}
    fields |= zip(MSRS, fd.read_msrs(_INDICES), strict=True)
    return SystemRegisters(**fields)


def write(fd: VcpuFd, registers: SystemRegisters) -> None:
    """All or none; EINVAL for what this processor, or this kernel, refuses."""
    before, msrs = fd.sregs(), fd.read_msrs(_INDICES)
    fd.set_sregs(_filled(Sregs.from_buffer_copy(before), registers))
    try:
        fd.write_msrs(_INDICES, [getattr(registers, name) for name in MSRS])
    except HypervisorError:
        fd.set_sregs(before)
        fd.write_msrs(_INDICES, msrs)
        raise


def _filled(sregs: Sregs, registers: SystemRegisters) -> Sregs:
    for name in _CONTROL:
        setattr(sregs, name, getattr(registers, name))
    for name, field in _SEGMENTS.items():
        setattr(sregs, field, _kvm_segment(getattr(registers, name)))
    for name, field in _TABLES.items():
        table = getattr(registers, name)
        setattr(sregs, field, Dtable(base=table.base, limit=table.limit))
    return sregs


def _segment(raw: KvmSegment) -> Segment:
    """Some kernels leave `present` set in what is not usable."""
    if raw.unusable:
        return Segment(raw.base, raw.limit, raw.selector)
    attributes = sum(getattr(raw, name) << at for name, (at, _) in _BITS.items())
    return Segment(raw.base, raw.limit, raw.selector, attributes)


def _kvm_segment(segment: Segment) -> KvmSegment:
    raw = KvmSegment(base=segment.base, limit=segment.limit, selector=segment.selector)
    for name, (at, bits) in _BITS.items():
        setattr(raw, name, segment.attributes >> at & ((1 << bits) - 1))
    raw.unusable = not segment.present
    return raw


def _table(raw: Dtable) -> TableRegister:
    return TableRegister(raw.base, raw.limit)

"""The kernel's own counters by KVM_GET_STATS_FD (api.rst 4.133): read, and added up over what a guest is made of."""

import errno
import os
from collections.abc import Iterable

from engine.abi.kvm import Cap, Ioctl
from engine.abi.kvm_vcpu import STATS_TYPE_LINEAR_HIST, STATS_TYPE_MASK, STATS_TYPE_PEAK, StatsDesc, StatsHeader
from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.kvm.ioctl import call
from engine.hypervisor.kvm.space import GuestSpace
from engine.hypervisor.kvm.vcpu import KvmVcpu

REASON = "this kernel lacks KVM_CAP_BINARY_STATS_FD: Linux 5.14 has it"
_HEADER, _DESCRIPTION, _VALUE = 24, 16, 8
Counters = dict[str, tuple[int, int]]
"""Type (STATS_TYPE_*) and value by name."""


def offered(device: int) -> bool:
    return call(device, Ioctl.KVM_CHECK_EXTENSION, int(Cap.BINARY_STATS_FD)) > 0


class KvmStatistics:
    """Statistics of the contract. Histograms are left out, for a name stands for one number."""

    def __init__(self, space: GuestSpace, vcpus: list[KvmVcpu]) -> None:
        self._space, self._vcpus = space, vcpus

    def of_vm(self) -> dict[str, int]:
        """Of the VMs that its VTLs are, together."""
        return _together(_read(vtl.vm.fd) for vtl in self._space.vtls)

    def of_vcpu(self, index: int) -> dict[str, int]:
        """Of its kernel vCPUs together: one a VTL, and the helper that executes what was denied."""
        for vcpu in self._vcpus:
            if vcpu.index == index:
                return _together(map(_read, vcpu.descriptors()))
        raise HypervisorError(errno.EINVAL, "statistics", "vcpu", index, "this vm has no such vCPU")


def _together(parts: Iterable[Counters]) -> dict[str, int]:
    """Sums; of peaks the highest."""
    found: dict[str, int] = {}
    for part in parts:
        for name, (kind, value) in part.items():
            before = found.get(name, 0)
            found[name] = max(before, value) if kind == STATS_TYPE_PEAK else before + value
    return found


def _read(fd: int) -> Counters:
    file = call(fd, Ioctl.KVM_GET_STATS_FD)
    try:
        header = StatsHeader.from_buffer_copy(os.pread(file, _HEADER, 0))
        each = _DESCRIPTION + header.name_size
        described = os.pread(file, each * header.num_desc, header.desc_offset)
        rows = [_row(described[at : at + each]) for at in range(0, len(described), each)]
        size = max((offset for _, _, offset in rows), default=0) + _VALUE
        data = os.pread(file, size, header.data_offset)
        return {
            name: (kind, int.from_bytes(data[offset : offset + _VALUE], "little"))
            for name, kind, offset in rows
            if kind < STATS_TYPE_LINEAR_HIST
        }
    finally:
        os.close(file)


def _row(raw: bytes) -> tuple[str, int, int]:
    """Name, type, and where in the data it is."""
    found = StatsDesc.from_buffer_copy(raw[:_DESCRIPTION])
    return raw[_DESCRIPTION:].split(b"\0")[0].decode(), found.flags & STATS_TYPE_MASK, found.offset

"""/dev/kvm: opening it, or saying exactly why not; what this host's KVM can do."""

import errno
import os
import platform
import weakref
from pathlib import Path

from engine.abi.kvm import API_VERSION, DEVICE, Cap, Ioctl
from engine.hypervisor.contract.capabilities import Capabilities
from engine.hypervisor.contract.errors import HypervisorError, HypervisorMissing, Unsupported
from engine.hypervisor.contract.extensions import KernelHyperV, Statistics
from engine.hypervisor.kvm import hyperv, statistics
from engine.hypervisor.kvm.ioctl import call
from engine.hypervisor.kvm.kick import install_kick_signal
from engine.hypervisor.kvm.lacks import LACKS
from engine.hypervisor.kvm.partition import KvmVm
from engine.hypervisor.kvm.probe import STEP_REASON, Behaviour, probe
from engine.hypervisor.kvm.ring_probe import heeds_soft_limit
from engine.model.rights import Rights

_NEEDED = (Cap.USER_MEMORY, Cap.SYNC_MMU, Cap.IMMEDIATE_EXIT, Cap.SYNC_REGS, Cap.READONLY_MEM)
_MASK_REASON = (
    "KVM does not consult host PROT_EXEC, so what VTL0 may load by itself it can also execute. R is enforced by "
    "letting every load leave the guest, to be finished unseen; RW would make every store the VMM's instead of the "
    "vCPU's, so only the simulator has it"
)
_RING_REASON = (
    "this kernel emulates guest code without looking at the ring's soft limit: a guest that writes more pages than the "
    "ring has entries, and meanwhile neither exits nor is interrupted, overwrites entries that nobody has read"
)
_OPTIONAL = {
    Statistics.__name__: (statistics.offered, statistics.REASON),
    KernelHyperV.__name__: (hyperv.offered, hyperv.REASON),
}
"""Extensions that some kernels have: whether this one does, and why not."""
_FIXES = {
    errno.ENOENT: "there is no such device: load the module (modprobe kvm_intel or kvm_amd), or turn on virtualization "
    "in the firmware or nested virtualization in the host above; in a container pass --device /dev/kvm",
    errno.EACCES: "permission denied: add the user to the group that owns the device (usermod -aG kvm USER)",
    errno.EPERM: "not permitted: the container or sandbox must allow the device (--device /dev/kvm)",
    errno.ENODEV: "the module is loaded but the processor offers no virtualization: turn it on in the firmware",
    errno.ENXIO: "the device file has no driver behind it: load the module (modprobe kvm_intel or kvm_amd)",
}


class KvmHypervisor:
    """Real KVM. Making one opens the device and tries it; HypervisorMissing says what is wrong and what would help."""

    def __init__(self, device: str = DEVICE) -> None:
        self._device = _open(device)
        self._close = weakref.finalize(self, os.close, self._device)
        try:
            _check(self._device, device)
            install_kick_signal()
            self._behaviour = _probed(self._device, device)
            self._capabilities = _capabilities(self._device, self._behaviour)
        except BaseException:
            self._close()
            raise

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def create_vm(self, ram: int, vtls: int = 2, seed: int = 1) -> KvmVm:
        """`seed` is not used: real hardware draws nothing."""
        return KvmVm(self._device, self._capabilities, self._behaviour, ram, vtls)

    def close(self) -> None:
        """Running vms keep their own descriptors. Done by itself once nobody refers to it any more."""
        self._close()


def _open(device: str) -> int:
    try:
        return os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        why = _FIXES.get(error.errno or 0, error.strerror or str(error))
        raise HypervisorMissing("kvm", f"{device}: {why}") from error


def _check(fd: int, device: str) -> None:
    try:
        version = call(fd, Ioctl.KVM_GET_API_VERSION)
    except HypervisorError as error:
        raise HypervisorMissing("kvm", f"{device}: is no KVM device ({error})") from error
    if version != API_VERSION:
        raise HypervisorMissing("kvm", f"{device}: API version {version}, this program speaks {API_VERSION}")
    missing = [cap.name for cap in _NEEDED if not call(fd, Ioctl.KVM_CHECK_EXTENSION, int(cap))]
    if missing:
        raise HypervisorMissing("kvm", f"{device}: this kernel lacks KVM_CAP_{', KVM_CAP_'.join(missing)}")


def _probed(fd: int, device: str) -> Behaviour:
    try:
        return probe(fd)
    except OSError as error:
        raise HypervisorMissing("kvm", f"{device}: a test guest does not run: {error}") from error
    except Unsupported as error:
        raise HypervisorMissing("kvm", str(error)) from error


def _capabilities(fd: int, behaviour: Behaviour) -> Capabilities:
    masks = [Rights.RWX]
    if behaviour.write_fenced:
        masks.append(Rights.RX)
    if behaviour.access_fenced:
        masks += [Rights.NONE, Rights.R]
    absent = {name: reason for name, (offered, reason) in _OPTIONAL.items() if not offered(fd)}
    ring_bytes = call(fd, Ioctl.KVM_CHECK_EXTENSION, int(Cap.DIRTY_LOG_RING_ACQ_REL))
    return Capabilities(
        name="kvm",
        label=f"real KVM ({_module()}, kernel {'.'.join(platform.release().split('.')[:2])})",
        real=True,
        clock="host ns",
        concurrent=True,
        counts_instructions=False,
        max_slots=call(fd, Ioctl.KVM_CHECK_EXTENSION, int(Cap.NR_MEMSLOTS)),
        masks=tuple(sorted(int(mask) for mask in masks)),
        denies_whole=behaviour.denies_whole,
        logs_loads=behaviour.logs_loads,
        mask_reason=_MASK_REASON,
        single_step=behaviour.steps,
        step_reason="" if behaviour.steps else STEP_REASON,
        extensions=tuple(name for name in _OPTIONAL if name not in absent),
        lacks={**LACKS, **absent},
        address_spaces=max(1, call(fd, Ioctl.KVM_CHECK_EXTENSION, int(Cap.MULTI_ADDRESS_SPACE))),
        ring_bytes=ring_bytes,
        ring_reason=_RING_REASON if ring_bytes and not heeds_soft_limit(fd) else "",
    )


def _module() -> str:
    """The vendor module behind the device, e.g. `kvm_intel`; `kvm` where it cannot be seen."""
    found = sorted(path.name for path in Path("/sys/module").glob("kvm_*"))
    return ", ".join(found) or "kvm"

"""Opening KVM, and saying exactly why not."""

import os
from pathlib import Path

import pytest

from engine.hypervisor.contract.errors import HypervisorMissing
from engine.hypervisor.kvm.system import KvmHypervisor
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import Guest


def reason(device: Path) -> str:
    with pytest.raises(HypervisorMissing) as missing:
        KvmHypervisor(str(device))
    assert missing.value.ability == "kvm"
    assert str(device) in missing.value.reason
    return missing.value.reason


def test_no_device(tmp_path: Path) -> None:
    assert "modprobe" in reason(tmp_path / "kvm")


def test_no_permission(tmp_path: Path) -> None:
    device = tmp_path / "kvm"
    device.touch(mode=0)
    if os.access(device, os.R_OK):
        pytest.skip("this user may open everything")
    assert "group" in reason(device)


def test_some_other_file(tmp_path: Path) -> None:
    device = tmp_path / "kvm"
    device.touch()
    assert "is no KVM device" in reason(device)


def test_a_failed_opening_leaves_nothing_open(tmp_path: Path) -> None:
    device = tmp_path / "kvm"
    device.touch()
    before = len(list(Path("/proc/self/fd").iterdir()))
    reason(device)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.usefixtures("kvm")
def test_one_that_is_forgotten_gives_its_descriptor_back() -> None:
    def opened() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = opened()
    hypervisor = KvmHypervisor()
    assert opened() == before + 1
    del hypervisor
    assert opened() == before


def test_what_a_stock_kernel_enforces(guest: Guest) -> None:
    """Measured by the probe: closed and read-only pages hold; of the masks without X, RW is not to be had."""
    capabilities = guest.vm.capabilities
    assert capabilities.real
    assert capabilities.concurrent
    assert not capabilities.counts_instructions
    assert all(capabilities.enforces(rights) for rights in (Rights.NONE, Rights.RX, Rights.RWX))
    assert not capabilities.enforces(Rights.RW)
    assert "PROT_EXEC" in capabilities.mask_reason

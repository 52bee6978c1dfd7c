"""Which hypervisor a machine gets."""

import pytest

from engine.hypervisor import choose as choosing
from engine.hypervisor.choose import choose
from engine.hypervisor.contract.errors import HypervisorMissing
from tests.peers.absent import kvm_absent


def test_the_simulator_is_everywhere() -> None:
    hypervisor, why_not = choose("sim")
    assert not hypervisor.capabilities.real
    assert why_not == ""


def test_auto_takes_what_this_host_has_and_says_why_not_the_other() -> None:
    hypervisor, why_not = choose("auto")
    assert hypervisor.capabilities.real is (kvm_absent() is None)
    assert bool(why_not) is not hypervisor.capabilities.real


def test_without_kvm_auto_simulates_and_kvm_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise HypervisorMissing("kvm", "/dev/kvm: there is no such device")

    monkeypatch.setattr(choosing, "KvmHypervisor", missing)
    hypervisor, why_not = choose("auto")
    assert not hypervisor.capabilities.real
    assert why_not == "/dev/kvm: there is no such device"
    with pytest.raises(HypervisorMissing):
        choose("kvm")


def test_another_name_is_refused() -> None:
    with pytest.raises(ValueError, match="xen"):
        choose("xen")

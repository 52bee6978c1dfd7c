"""What is known of some kinds of KVM: the lanes that tests run in must be what they are taken for (docs/lanes.md)."""

import os

import msgspec
import pytest

from engine.abi.kvm import DEVICE, Cap, Ioctl
from engine.conformance.guest import Guest
from engine.hypervisor.kvm.ioctl import call
from engine.hypervisor.kvm.system import KvmHypervisor
from engine.model.exits import ProtectionExit
from engine.model.rights import Rights
from engine.session.doctor import report


class Kind(msgspec.Struct, frozen=True):
    """`raw`: the kernel's answer to a store that the host's mapping denies."""

    hyperv: bool
    xen: bool
    denies_whole: bool
    loses_ring_entries: bool
    raw: str


KINDS = {
    "kvm_amd": Kind(hyperv=True, xen=True, denies_whole=True, loses_ring_entries=False, raw="KVM_RUN EFAULT"),
    "kvm_pvm": Kind(hyperv=False, xen=False, denies_whole=False, loses_ring_entries=True, raw="KVM_EXIT_MMIO"),
}
"""kvm_amd: 6.12 with nested paging; kvm_pvm: 6.18, whose emulator executes guest code. All measured."""


@pytest.fixture
def hypervisor(kvm: None) -> KvmHypervisor:
    return KvmHypervisor()


@pytest.fixture
def kind(hypervisor: KvmHypervisor) -> Kind:
    for module, known in KINDS.items():
        if module in hypervisor.capabilities.label:
            return known
    pytest.skip(f"nothing is written down about {hypervisor.capabilities.label}")


@pytest.mark.parametrize(("cap", "field"), [(Cap.HYPERV, "hyperv"), (Cap.XEN_HVM, "xen")])
def test_hyper_v_and_xen_are_there_where_they_should_be(kind: Kind, cap: Cap, field: str) -> None:
    device = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
    try:
        assert bool(call(device, Ioctl.KVM_CHECK_EXTENSION, int(cap))) == getattr(kind, field)
    finally:
        os.close(device)


def test_the_capabilities_say_which_kind_it_is(kind: Kind, hypervisor: KvmHypervisor) -> None:
    host = hypervisor.capabilities
    assert (host.denies_whole, bool(host.ring_reason)) == (kind.denies_whole, kind.loses_ring_entries)
    (found,) = (one for one in report().findings if one.hypervisor == host.name)
    assert (found.usable, found.label, found.ring_reason) == (True, host.label, host.ring_reason)


def test_a_denied_store_has_the_shape_of_its_kind(kind: Kind, hypervisor: KvmHypervisor) -> None:
    guest = Guest(hypervisor)
    guest.fence(Rights.RX)
    guest.load("mov [rbx], rax\nhlt", rbx=Guest.PAGE)
    exit = guest.vcpu.run()
    guest.vm.close()
    assert isinstance(exit, ProtectionExit)
    assert exit.raw.startswith(kind.raw)

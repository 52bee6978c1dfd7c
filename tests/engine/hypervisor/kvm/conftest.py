"""A guest on real KVM; every test here is skipped, loudly, where there is none."""

from collections.abc import Iterator

import pytest

from engine.hypervisor.kvm.system import KvmHypervisor
from tests.engine.hypervisor.guest import Guest
from tests.peers.absent import kvm_absent


@pytest.fixture
def kvm() -> None:
    if reason := kvm_absent():
        pytest.skip(reason)


@pytest.fixture
def guest(kvm: None) -> Iterator[Guest]:
    hypervisor = KvmHypervisor()
    made = Guest(hypervisor)
    yield made
    made.vm.close()
    hypervisor.close()

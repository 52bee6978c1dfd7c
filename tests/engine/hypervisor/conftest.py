"""Each hypervisor in turn, and a guest on it."""

from collections.abc import Iterator

import pytest

from engine.hypervisor.contract.errors import HypervisorMissing
from engine.hypervisor.contract.protocols import Hypervisor
from engine.hypervisor.kvm.system import KvmHypervisor
from engine.hypervisor.sim.partition import SimHypervisor
from tests.engine.hypervisor.guest import Guest


@pytest.fixture(params=["sim", "kvm"])
def hypervisor(request: pytest.FixtureRequest) -> Iterator[Hypervisor]:
    """Real KVM is skipped, with the reason, where it is not there."""
    if request.param == "sim":
        yield SimHypervisor()
        return
    real = real_kvm()
    yield real
    real.close()


def real_kvm() -> KvmHypervisor:
    """Skips the test, with the reason, where there is none."""
    try:
        return KvmHypervisor()
    except HypervisorMissing as missing:
        pytest.skip(f"NO KVM ON THIS HOST: {missing.reason}")


@pytest.fixture
def guest(hypervisor: Hypervisor) -> Iterator[Guest]:
    made = Guest(hypervisor)
    yield made
    made.vm.close()


@pytest.fixture
def sim() -> Iterator[Guest]:
    """A guest on the simulator, for what only it promises."""
    made = Guest(SimHypervisor())
    yield made
    made.vm.close()


@pytest.fixture
def kvm() -> Iterator[Guest]:
    """A guest on real KVM, to stand beside `sim`."""
    made = Guest(real_kvm())
    yield made
    made.vm.close()

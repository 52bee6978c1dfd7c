"""Scenarios and hosts for tests of the engine."""

from collections.abc import Callable

import pytest

import tests.peers.patience  # noqa: F401
from engine.hypervisor.contract.errors import HypervisorMissing
from engine.machine.program import check_scenario
from engine.model.scenario import Scenario
from engine.session.host import Host, host_for

MakeScenario = Callable[..., Scenario]


@pytest.fixture
def scenario() -> MakeScenario:
    """`scenario(vcpus=[...], masks=[...])`: 4 MiB, system slot and one logged data slot at 0x200000."""

    def make(**fields: object) -> Scenario:
        text = {
            "name": "test",
            "ram": "4MiB",
            "slots": [
                {"slot": 0, "base": 0, "size": "2MiB"},
                {"slot": 1, "base": 0x200000, "size": "2MiB", "flags": ["log"]},
            ],
            **fields,
        }
        return check_scenario(text)

    return make


@pytest.fixture(params=["sim", "kvm"])
def host(request: pytest.FixtureRequest, scenario: MakeScenario) -> Host:
    """Each hypervisor in turn; skipped, with the hypervisor's own reason, where it is not there."""
    try:
        return host_for(scenario(vcpus=[{"guest": "spin"}]), request.param)
    except HypervisorMissing as missing:
        pytest.skip(f"NO {request.param.upper()} ON THIS HOST: {missing.reason}")


@pytest.fixture
def sim(scenario: MakeScenario) -> Host:
    return host_for(scenario(vcpus=[{"guest": "spin"}]), "sim")

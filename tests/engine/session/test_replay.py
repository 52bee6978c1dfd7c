"""The law: the same scenario, seed and outside commands give the same events, byte for byte."""

import random
import time
from pathlib import Path

import msgspec
import pytest

from engine.hypervisor.contract.errors import HypervisorMissing, Unsupported
from engine.model.commands import Churn, Harvest, Pause, Run, SetMask, SetPolicy, SetSpeed, Step
from engine.model.events import HypercallServed, InterceptDelivered
from engine.session.host import Host, host_for
from engine.session.log_file import read_segment
from engine.session.replay import replay
from engine.session.session import Session
from tests.engine.machine.vsm_guest import PAGE, SETUP, STORE, VTL_CALL, VTL_RETURN, WITH_PAGES, fence, guest, protect

GUESTS = [
    {"guest": "touch", "params": {"base": 0x200000, "pages": 32}},
    {"guest": "scatter", "params": {"base": 0x200000, "pages": 64, "seed": 7}},
]


def play(session: Session, seed: int) -> None:
    """Somebody who presses what comes to mind."""
    chance = random.Random(seed)
    session.handle(SetSpeed(3000.0))
    session.handle(Run())
    for _ in range(12):
        time.sleep(chance.random() * 0.02)
        base = 0x200000 + 0x1000 * chance.randrange(32)
        session.handle(SetMask(base=base, pages=2, rights=chance.choice([0, 1, 15])))
        session.harvest()
    session.handle(Churn(slot=1, rate=100.0))
    time.sleep(0.1)
    session.handle(Churn(slot=1, rate=0.0))
    session.handle(SetPolicy("drop"))
    session.handle(Pause())
    session.handle(Step())
    time.sleep(0.1)
    session.handle(Pause())


@pytest.mark.parametrize(("seed", "dirty"), [(1, "log"), (2, "clear"), (3, "ring")])
def test_a_run_repeats_byte_for_byte(scenario, sim: Host, tmp_path: Path, seed: int, dirty: str) -> None:
    script = [{"after": {"exits": 20}, "do": "set_policy", "on_protection": "drop"}]
    made = scenario(vcpus=GUESTS, seed=seed, script=script, dirty=dirty)
    session = Session(made, sim, log=tmp_path / "log")
    play(session, seed)
    session.flush()
    header, logged = read_segment(tmp_path / "log-1.0")
    first = list(logged)
    session.close()
    again = replay(sim.hypervisor, header, first)
    assert len(first) > 50
    assert b"".join(map(msgspec.msgpack.encode, again)) == b"".join(map(msgspec.msgpack.encode, first))


FENCE_MANY = (protect(), fence(1, *range(0x280, 0x280 + 100)), VTL_RETURN)
RELAX = (*WITH_PAGES, protect(), fence(1, PAGE >> 12), VTL_RETURN, fence(15, PAGE >> 12), VTL_RETURN)


@pytest.mark.parametrize(("vtl1", "calls", "intercepts"), [(FENCE_MANY, 5, 0), (RELAX, 8, 1)])
def test_hypercalls_and_intercepts_repeat(scenario, sim: Host, tmp_path: Path, vtl1, calls, intercepts) -> None:
    made = scenario(vcpus=[{"asm": guest(*SETUP, VTL_CALL, STORE, vtl1=vtl1)}], on_protection="intercept")
    session = Session(made, sim, log=tmp_path / "log")
    session.handle(Run())
    while session.view.phase != "ended":
        time.sleep(0.01)
    session.handle(Harvest())
    session.flush()
    header, logged = read_segment(tmp_path / "log-1.0")
    first = list(logged)
    session.close()
    assert sum(isinstance(event, HypercallServed) for event in first) == calls
    assert sum(isinstance(event, InterceptDelivered) for event in first) == intercepts
    again = replay(sim.hypervisor, header, first)
    assert b"".join(map(msgspec.msgpack.encode, again)) == b"".join(map(msgspec.msgpack.encode, first))


def test_concurrent_vcpus_cannot_be_replayed_and_say_so(scenario, tmp_path: Path) -> None:
    made = scenario(vcpus=GUESTS)
    try:
        kvm = host_for(made, "kvm")
    except HypervisorMissing as missing:
        pytest.skip(f"NO KVM ON THIS HOST: {missing.reason}")
    session = Session(made, kvm, log=tmp_path / "log")
    session.close()
    header, logged = read_segment(tmp_path / "log-1.0")
    with pytest.raises(Unsupported, match="replay"):
        replay(kvm.hypervisor, header, logged)

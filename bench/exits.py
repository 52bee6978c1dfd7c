"""Exits a second of one vCPU on real KVM: bare ioctls, through the contract, and through a whole session."""

import fcntl
import time
from contextlib import closing

import msgspec

from bench.bare import KVM_RUN, BareGuest
from bench.figure import Absent, Figure, beside, rate
from bench.guests import OUT_LOOP, STORE_LOOP, hypervisor, running
from engine.hypervisor.contract.protocols import Vcpu
from engine.machine.program import check_scenario
from engine.model.commands import Run
from engine.model.resolution import Complete
from engine.session.host import Host
from engine.session.session import Session
from tests.peers.absent import kvm_absent

BATCH = 1000


def measure() -> list[Figure]:
    if reason := kvm_absent():
        raise Absent(reason)
    bare = bare_loop()
    through = [
        contract("contract: OUT, answered", OUT_LOOP, "RWX"),
        contract("contract: denied store", STORE_LOOP, "RX"),
    ]
    whole = [session("session: OUT, logged and shown", OUT_LOOP, False)]
    whole.append(session("session: denied store, logged and shown", STORE_LOOP, True))
    return [bare, *(beside(figure, bare) for figure in through + whole)]


def bare_loop() -> Figure:
    """`fcntl.ioctl(vcpu, KVM_RUN)` and nothing else: the most that Python can have here."""
    with closing(BareGuest()) as guest:

        def batch() -> int:
            for _ in range(BATCH):
                fcntl.ioctl(guest.vcpu, KVM_RUN)
            return BATCH

        return rate("bare fcntl loop: OUT", batch)


def contract(name: str, asm: str, mask: str) -> Figure:
    """run and resolve: decoded into a typed exit, answered, no log."""
    vm, vcpu = running("kvm", asm, mask)
    with closing(vm):
        return rate(name, lambda: answered(vcpu))


def answered(vcpu: Vcpu) -> int:
    for _ in range(BATCH):
        vcpu.resolve(vcpu.run(), Complete())
    return BATCH


def session(name: str, asm: str, fenced: bool, seconds: float = 0.5, repeat: int = 7) -> Figure:
    """A session as a viewer has it, without the speed limit: events recorded, folded, sampled 30 times a second."""
    text = msgspec.json.encode(
        {
            "name": name,
            "ram": "4MiB",
            "slots": [{"slot": 0, "base": 0, "size": "4MiB", "flags": ["log"]}],
            "vcpus": [{"asm": asm}],
            "masks": [{"vtl": 0, "base": 0x200000, "pages": 4, "mask": "RX"}] if fenced else [],
        }
    )
    live = Session(check_scenario(text), Host(hypervisor("kvm"), ""))
    with closing(live):
        live.handle(Run())
        return Figure(name, "/s", tuple(_sampled(live, seconds) for _ in range(repeat)))


def _sampled(live: Session, seconds: float) -> float:
    before, start = live.machine.gate.exits, time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds:
        live.harvest()
        live.frame()
        time.sleep(1 / 30)
    return (live.machine.gate.exits - before) / passed

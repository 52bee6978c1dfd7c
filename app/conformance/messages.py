"""What the web process and the process that examines say to each other (engine.wire)."""

import msgspec

from engine import wire
from engine.conformance.examine import Result
from engine.model.scenario import HypervisorChoice


class Examine(wire.Message, frozen=True, tag="examine"):
    """Put this hypervisor to these checks, by id, in this order."""

    hypervisor: HypervisorChoice
    checks: list[str]


class Opened(wire.Message, frozen=True, tag="opened"):
    """The hypervisor can be used; or `problem` says why not, and then nothing else comes."""

    label: str
    problem: str = ""


class Examined(wire.Message, frozen=True, tag="examined"):
    result: Result


to_examiner = msgspec.msgpack.Decoder(Examine)
from_examiner = msgspec.msgpack.Decoder(Opened | Examined)

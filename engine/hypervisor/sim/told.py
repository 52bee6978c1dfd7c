"""How many exits of which kind a vCPU has told, by the names of KVM's counters."""

from engine.model.exits import AnyExit, HltExit, IoExit, MmioExit, VoidExit

_NAMES: dict[type[AnyExit], str] = {
    IoExit: "io_exits",
    MmioExit: "mmio_exits",
    VoidExit: "mmio_exits",
    HltExit: "halt_exits",
}


class Told:
    """`counts` by name; a kick is counted where it is met."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(("exits", "signal_exits", *_NAMES.values()), 0)

    def count(self, exit: AnyExit) -> None:
        self.counts["exits"] += 1
        name = _NAMES.get(type(exit))
        if name:
            self.counts[name] += 1

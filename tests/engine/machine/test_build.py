"""Machines as large as a scenario file may ask for."""

import time

from engine.machine.build import build
from engine.session.host import Host

PAGE = 0x1000
DATA = 0x200000


def test_the_most_slots_and_masks_are_there_within_seconds(scenario, host: Host) -> None:
    """A live session is given 30 seconds to start and 10 for a reset, on a machine with other work to do."""
    slots = [{"slot": 0, "base": 0, "size": DATA}]
    slots += [{"slot": n, "base": DATA + 2 * n * PAGE, "size": PAGE, "flags": ["log"]} for n in range(1, 512)]
    masks = [{"base": DATA + 2 * n * PAGE, "pages": 1, "mask": "RX" if n % 2 else "none"} for n in range(4096)]
    largest = scenario(ram="64MiB", slots=slots, masks=masks, vcpus=[{"guest": "spin"}] * 8)
    started = time.monotonic()
    machine = build(host.hypervisor, largest, lambda kind, fields: None)
    taken = time.monotonic() - started
    try:
        assert len(machine.vm.masks(0)) == 4096
        assert taken < 8.0
    finally:
        machine.vm.close()

"""Real KVM from Python beside C programs that do the same (bench/c), turn about: ratios to the C above, and bounds."""

from bench.against_c import dirty_log, exits, protect, slots, stop
from bench.contest import pinned
from bench.figure import Absent, Figure
from bench.native import compiler
from tests.peers.absent import kvm_absent


def measure() -> list[Figure]:
    """Absent without real KVM or a C compiler."""
    if reason := kvm_absent():
        raise Absent(reason)
    compiler()
    with pinned():
        alone = [figure for subject in (exits, slots, dirty_log, protect) for figure in subject.measure()]
    return alone + stop.measure()

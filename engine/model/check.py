"""Rules between the fields of a scenario: slots against RAM and each other, the system area, at least one vCPU."""

from itertools import pairwise

from engine.model.layout import SYSTEM_AREA, SYSTEM_SIZE
from engine.model.problems import Problem
from engine.model.scenario import Scenario


def check(scenario: Scenario) -> list[Problem]:
    """All that is wrong, in the order of the file."""
    return [*_slots(scenario), *_overlaps(scenario), *_system_area(scenario), *_vcpus(scenario)]


def _slots(scenario: Scenario) -> list[Problem]:
    found: list[Problem] = []
    for at, slot in enumerate(scenario.slots):
        for field, start in (("base", slot.base), ("offset", slot.offset)):
            if start + slot.size > scenario.ram:
                rule = f"ends at {start + slot.size:#x}, beyond RAM of {scenario.ram:#x}"
                found.append(Problem(f"slots[{at}].{field}", hex(start), rule))
                break
        if any(other.slot == slot.slot for other in scenario.slots[:at]):
            found.append(Problem(f"slots[{at}].slot", str(slot.slot), "this slot id is given twice"))
    return found


def _overlaps(scenario: Scenario) -> list[Problem]:
    order = sorted(range(len(scenario.slots)), key=lambda at: scenario.slots[at].base)
    found: list[Problem] = []
    for before, after in pairwise(order):
        low, high = scenario.slots[before], scenario.slots[after]
        if low.pages.overlaps(high.pages):
            rule = f"overlaps slot {low.slot}, which ends at {low.base + low.size:#x}"
            found.append(Problem(f"slots[{after}].base", hex(high.base), rule))
    return found


def _system_area(scenario: Scenario) -> list[Problem]:
    for at, slot in enumerate(scenario.slots):
        if slot.pages.intersection(SYSTEM_AREA) == SYSTEM_AREA:
            if slot.readonly or slot.offset != slot.base:
                rule = "holds the system area: it must be writable, and its offset must be its base"
                return [Problem(f"slots[{at}]", f"slot {slot.slot}", rule)]
            return []
    rule = f"some slot must hold the system area, 0x0 to {SYSTEM_SIZE:#x}: page tables, stacks and code are there"
    return [Problem("slots", "", rule)]


def _vcpus(scenario: Scenario) -> list[Problem]:
    if not scenario.vcpus:
        return [Problem("vcpus", "", "must have at least one entry")]
    if all(vcpu.waits is True for vcpu in scenario.vcpus):
        return [Problem("vcpus", "", "all of them wait, and nobody is there to start one")]
    return []

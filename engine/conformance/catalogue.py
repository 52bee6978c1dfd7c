"""Every check there is, in the order in which they are shown."""

from engine.conformance.check import Check
from engine.conformance.denied import DENIED, ONCE
from engine.conformance.dirty import DIRTY
from engine.conformance.exceptions import EXCEPTIONS
from engine.conformance.exits import EXITS
from engine.conformance.masks import MASKS, VTLS
from engine.conformance.proposals import PROPOSALS
from engine.conformance.ring import RING
from engine.conformance.slots import SLOTS

SUBJECTS = (SLOTS, DIRTY, RING, EXITS, EXCEPTIONS, DENIED, ONCE, MASKS, VTLS, PROPOSALS)
CHECKS: tuple[Check, ...] = tuple(check for subject in SUBJECTS for check in subject.checks)
BY_ID = {check.id: check for check in CHECKS}

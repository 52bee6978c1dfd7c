"""The sixteen values of a protection mask by guest code, each tried with read, write, and execute from both rings."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.model.events import ExitTaken, HypercallServed
from engine.model.exits import ProtectionExit
from engine.model.rights import Access, Rights
from engine.session.host import Host
from tests.engine.machine.ring_3_guest import TO_RING_3, WITH_RING_3
from tests.engine.machine.vsm_guest import (
    ENABLE_MBEC,
    ENABLE_PARTITION_VTL,
    PAGE,
    SECURE_CONFIG,
    VTL_CALL,
    VTL_RETURN,
    enable_vp_vtl,
    fence,
    guest,
    protect,
    put,
    set_register,
)
from tests.engine.machine.vsm_run import Ran

REFUSED = None
WITHOUT_MBEC = {
    0x0: "R W K U", 0x1: "W K U", 0x2: REFUSED, 0x3: "K U", 0x4: REFUSED, 0x5: "W", 0x6: REFUSED, 0x7: "",
    0x8: REFUSED, 0x9: "W K U", 0xA: REFUSED, 0xB: "K U", 0xC: REFUSED, 0xD: "W", 0xE: REFUSED, 0xF: "",
}  # fmt: skip
"""What is denied in profile tlfs: KX is for both rings, whatever UX says."""
WITH_MBEC = WITHOUT_MBEC | {0x5: REFUSED, 0x7: REFUSED, 0x9: "W K", 0xB: "K"}
USERS = PAGE + 0x1000
"""Ring 3 calls this page, ring 0 the one before: what is executed where is told by the address."""
LEFT = {0x5: 0xD, 0x7: 0xF, 0x9: 0x1, 0xB: 0x3}
"""Masks that are taken for others without MBEC."""


def trying(mask: int, mbec: bool) -> str:
    enable = ENABLE_MBEC if mbec else ENABLE_PARTITION_VTL
    both = (fence(mask, PAGE >> 12, USERS >> 12), VTL_RETURN)
    vtl1 = (protect(), set_register(SECURE_CONFIG, int(mbec)), *both)
    ring_0 = f"mov r9, {PAGE:#x}\nmov r10, [r9 + 8]\nmov [r9 + 16], r10\ncall r9"
    ring_3 = f"mov r9, {USERS:#x}\ncall r9"
    vtl0 = (enable, enable_vp_vtl(), put(PAGE, 0xC3), put(USERS, 0xC3), VTL_CALL, ring_0, TO_RING_3, ring_3, "ud2")
    return guest(WITH_RING_3, *vtl0, "handler:", vtl1=vtl1)


def denied(ran: Ran) -> str:
    exits = (event.exit for event in ran.of(ExitTaken))
    return " ".join(_kind(exit) for exit in exits if isinstance(exit, ProtectionExit))


def _kind(exit: ProtectionExit) -> str:
    if exit.access is not Access.EXECUTE:
        return exit.access[0].upper()
    return "U" if exit.gpa == USERS else "K"


@pytest.mark.parametrize("mbec", [False, True], ids=["without MBEC", "with MBEC"])
@pytest.mark.parametrize("mask", range(16), ids=hex)
def test_a_mask_denies_what_it_lacks_or_is_refused(
    host: Host, scenario: Callable[..., Any], mask: int, mbec: bool
) -> None:
    """A host that cannot enforce one says so, with the reason. The last access may be one that it cannot complete."""
    if mbec and not host.hypervisor.capabilities.mbec:
        pytest.skip(host.hypervisor.capabilities.lacks["ModeBasedExecution"])
    ran = Ran(host, scenario, trying(mask, mbec), on_protection="complete")
    told = [event for event in ran.of(HypercallServed) if event.call == "ModifyVtlProtectionMask"][-1]
    wanted = (WITH_MBEC if mbec else WITHOUT_MBEC)[mask]
    left = mask if mbec else LEFT.get(mask, mask)
    if wanted is REFUSED:
        assert (told.status, denied(ran)) == ("INVALID_PARAMETER", "")
    elif not host.hypervisor.capabilities.enforces(Rights(left)):
        assert (told.status, bool(told.why), denied(ran)) == ("OPERATION_FAILED", True, "")
    else:
        assert (told.status, denied(ran)) == ("SUCCESS", wanted)

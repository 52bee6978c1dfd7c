"""Mode-based execute control by a guest's own calls: VTL1 leaves VTL0's ring 3 what it takes from its ring 0."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.model.events import InterceptDelivered
from engine.session.host import Host
from tests.engine.machine.ring_3_guest import TO_RING_3, WITH_RING_3
from tests.engine.machine.vsm_guest import (
    ENABLE_MBEC,
    PAGE,
    SECURE_CONFIG,
    SETUP,
    STATUSES,
    VTL_CALL,
    VTL_RETURN,
    WITH_PAGES,
    enable_vp_vtl,
    fence,
    get_register,
    guest,
    protect,
    put,
    set_register,
)
from tests.engine.machine.vsm_run import Ran

CAPABILITIES, VP_STATUS = 0xD0006, 0xD0003
R_UX, RX, ALL = 0x9, 0xD, 0xF
CALL_PAGE = f"mov rcx, {PAGE:#x}\ncall rcx"
RET = put(PAGE, 0xC3)
IN_BOTH_RINGS = (RET, VTL_CALL, CALL_PAGE, TO_RING_3, CALL_PAGE, "ud2", "handler:")


@pytest.fixture
def run(host: Host, scenario: Callable[..., Any]) -> Callable[..., Ran]:
    return lambda asm, **fields: Ran(host, scenario, asm, **{"on_protection": "complete"} | fields)


@pytest.mark.parametrize(
    ("mask", "config", "denied"),
    [(R_UX, 1, 1), (R_UX, 0, 2), (RX, 1, 0), (0x1, 1, 2), (0x5, 1, None)],
    ids=["ring 3 may", "not on this processor", "both may", "none may", "KX without UX"],
)
def test_ring_3_executes_by_a_right_of_its_own(run, host: Host, mask: int, config: int, denied: int | None) -> None:
    """A RET in the fenced page is called from ring 0, then from ring 3."""
    if not host.hypervisor.capabilities.mbec:
        pytest.skip(host.hypervisor.capabilities.lacks["ModeBasedExecution"])
    vtl1 = (protect(), set_register(SECURE_CONFIG, config), fence(mask, PAGE >> 12), VTL_RETURN)
    ran = run(guest(WITH_RING_3, ENABLE_MBEC, enable_vp_vtl(), *IN_BOTH_RINGS, vtl1=vtl1))
    assert [status for _, status, _ in ran.served[:4]] == ["SUCCESS"] * 4
    assert ran.served[4][1] == ("INVALID_PARAMETER" if denied is None else "SUCCESS")
    assert ran.denied == [(0, PAGE)] * (denied or 0)
    assert ran.end == "halted"


def test_a_host_without_it_says_so(run, host: Host) -> None:
    """Row 8 of the kvm-unit-tests for VSM: EnableMbec is INVALID_PARAMETER there; VsmCapabilities has bits 62:47."""
    ran = run(guest(get_register(CAPABILITIES, STATUSES + 0x800), ENABLE_MBEC))
    mbec = host.hypervisor.capabilities.mbec
    assert ran.served[-1][:2] == ("EnablePartitionVtl", "SUCCESS" if mbec else "INVALID_PARAMETER")
    assert ran.words(STATUSES + 0x800, 1)[0] >> 47 & 0xFFFF == (0b10 if mbec else 0)


def test_the_secure_config_needs_the_partitions_mbec(run) -> None:
    """And VTL1's status never shows MBEC of its own, which a VTL above would have to enable."""
    vtl1 = (set_register(SECURE_CONFIG, 1), get_register(VP_STATUS, STATUSES + 0x800), VTL_RETURN)
    ran = run(guest(*SETUP, VTL_CALL, vtl1=vtl1))
    assert ran.served[2] == ("SetVpRegisters", "INVALID_REGISTER_VALUE", 0)
    assert ran.words(STATUSES + 0x800, 1)[0] == 3 << 16 | 1


def test_an_intercept_tells_the_ring(run) -> None:
    """Execution state, bits 1:0, from ring 0 and then from ring 3. VTL1 opens the page, and shuts it when called."""
    shut = (protect(), fence(0, PAGE >> 12), VTL_RETURN)
    took = "mov rbx, 0x209000\nmov dword ptr [rbx], 0"
    opened = (fence(ALL, PAGE >> 12), took, VTL_RETURN)
    vtl1 = (*WITH_PAGES, *shut, *opened, *shut[1:], *opened)
    load = f"mov r9, {PAGE:#x}\nmov rax, [r9]"
    vtl0 = (VTL_CALL, load, VTL_CALL, TO_RING_3, load, "ud2", "handler:")
    ran = run(guest(WITH_RING_3, *SETUP, *vtl0, vtl1=vtl1), on_protection="intercept")
    told = ran.of(InterceptDelivered)
    assert [event.message[16 + 6] & 3 for event in told] == [0, 3]
    assert ran.end == "halted"

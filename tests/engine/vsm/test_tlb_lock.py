"""A lower VTL's TLB, locked on one processor, keeps another from going on (openvmm, hardware_cvm/tlb_lock.rs)."""

from engine.abi.tlfs import parameters
from engine.abi.tlfs.interface import PARTITION_ID_SELF, CallCode
from engine.abi.tlfs.registers import RegisterName as Name
from engine.vsm.effects import AwaitTlbLocks, SetSecureConfig, SwitchVtl
from engine.vsm.switch import vtl_return
from engine.vsm.view import Caller
from engine.vsm.vsm_registers import RULES
from tests.engine.vsm.partition import Partition

LOCKED, FREE = 0b10, 0
GPA_PAGES = [parameters.GpaPage(16), parameters.GpaPage(17)]
FIRST_IN_VTL1 = Caller(vp=0, vtl=1)


def locked_on_the_second(vps: int = 2, maximum_vtl: int = 1) -> Partition:
    """Both processors are in VTL1; the second has VTL0's TLB locked."""
    guest = Partition(vps=vps, maximum_vtl=maximum_vtl).enable(*range(1, maximum_vtl + 1))
    guest.perform([*(SwitchVtl(vp, 1) for vp in range(vps)), SetSecureConfig(1, 1, 0, LOCKED)])
    return guest


def protect(guest: Partition) -> None:
    header = parameters.ModifyVtlProtectionMask(PARTITION_ID_SELF, 1, 0x10)
    guest.call(CallCode.ModifyVtlProtectionMask, header, GPA_PAGES, caller=FIRST_IN_VTL1)


def waits(guest: Partition, vp: int = 0) -> list[int]:
    return guest.partition.vps[vp].waits_for


def test_who_changes_a_mask_waits_in_the_vtl_that_it_binds() -> None:
    """VTL1 itself goes on; VTL0 does once the other's VTL1 has returned."""
    guest = locked_on_the_second()
    protect(guest)
    assert waits(guest) == []
    guest.perform([SwitchVtl(0, 0)])
    assert (waits(guest), waits(guest, 1)) == ([1], [])
    returned = vtl_return(Caller(vp=1, vtl=1), guest.partition, control=1)
    guest.perform(returned.effects)  # type: ignore[union-attr]
    assert waits(guest) == []


def test_ones_own_lock_is_nothing_to_wait_for() -> None:
    guest = locked_on_the_second()
    guest.perform([SetSecureConfig(1, 1, 0, FREE), SetSecureConfig(0, 1, 0, LOCKED)])
    protect(guest)
    guest.perform([SwitchVtl(0, 0)])
    assert waits(guest) == []


def test_a_lock_that_comes_later_does_not_count() -> None:
    guest = locked_on_the_second(vps=3)
    protect(guest)
    guest.perform([SetSecureConfig(2, 1, 0, LOCKED), SwitchVtl(0, 0)])
    assert waits(guest) == [1]


def test_a_lock_that_another_vtl_holds_too_lasts() -> None:
    guest = locked_on_the_second(maximum_vtl=2)
    guest.perform([SetSecureConfig(1, 2, 0, LOCKED), AwaitTlbLocks(0, 0, (1,)), SwitchVtl(0, 0)])
    guest.perform([SetSecureConfig(1, 1, 0, FREE)])
    assert waits(guest) == [1]
    guest.perform([SetSecureConfig(1, 2, 0, FREE)])
    assert waits(guest) == []


def test_a_vtl_may_ask_to_wait() -> None:
    """HvRegisterVsmVpWaitForTlbLock of VTL0, set by VTL1; it reads as 1 meanwhile."""
    guest = locked_on_the_second()
    rule = RULES[Name.VSM_VP_WAIT_FOR_TLB_LOCK]
    assert rule.write is not None
    assert rule.write(guest, 1, 0, 1) == ()
    changes = rule.write(guest, 0, 0, 1)
    assert changes == (AwaitTlbLocks(0, 0, (1,)),)
    guest.perform(changes)
    assert (rule.read(guest, 0, 0), rule.read(guest, 0, 1), rule.read(guest, 1, 0)) == (1, 0, 0)

"""A rep call that does not get through in one stretch, and what a guest sees of it in between."""

from msgspec.structs import replace

from engine.abi.tlfs.interface import PARTITION_ID_SELF, CallCode
from engine.abi.tlfs.parameters import GpaPage, ModifyVtlProtectionMask
from engine.abi.tlfs.status import HvStatus
from engine.model.rights import Rights
from engine.vsm.control import InputValue, ResultValue
from engine.vsm.dispatch import Served
from engine.vsm.effects import SetMask
from engine.vsm.parameters import CallRegisters
from engine.vsm.profile import OPENVMM, TLFS
from engine.vsm.view import Caller
from tests.engine.vsm.partition import INPUT, Partition

VTL1 = Caller(0, 1)
VTL0_RESTRICTED, VTL1_IMPOSES = 0x10, 0x11
"""HV_INPUT_VTL in either meaning."""


def stretches(guest: Partition, pages: int, bad: int | None = None, vtl: int = VTL0_RESTRICTED) -> list[Served]:
    """All stretches of one call that takes W and X from VTL0 on this many pages."""
    data = bytes(ModifyVtlProtectionMask(PARTITION_ID_SELF, int(Rights.R), vtl)) + b"".join(
        bytes(GpaPage(0x999 if n == bad else n % 200)) for n in range(pages)
    )
    guest.memory[INPUT : INPUT + len(data)] = data
    rcx = InputValue(code=CallCode.ModifyVtlProtectionMask, rep_count=pages).encode()
    found: list[Served] = []
    registers = CallRegisters(rcx=rcx, rdx=INPUT)
    while not found or not found[-1].finished:
        served = guest.once(VTL1, registers)
        assert isinstance(served, Served)
        found.append(served)
        registers = served.registers
    return found


def starts(found: list[Served]) -> list[int]:
    return [InputValue.decode(served.registers.rcx).rep_start for served in found]


def test_a_whole_page_of_elements_is_done_in_stretches() -> None:
    """510 is what fits one page behind the header."""
    found = stretches(Partition().enable(1), 510)
    assert starts(found) == [64, 128, 192, 256, 320, 384, 448, 510]
    assert ResultValue.decode(found[-1].rax) == ResultValue(HvStatus.SUCCESS, 510)


def test_each_stretch_takes_effect_before_the_next() -> None:
    found = stretches(Partition().enable(1), 130)
    sizes = [len(effect.gfns) for served in found for effect in served.effects if isinstance(effect, SetMask)]
    assert sizes == [64, 64, 2]


def test_there_is_progress_even_if_a_stretch_is_one_rep() -> None:
    guest = Partition(replace(TLFS, reps_at_once=1)).enable(1)
    assert starts(stretches(guest, 3)) == [1, 2, 3]


def test_an_error_in_a_later_stretch_counts_all_reps_before_it() -> None:
    found = stretches(Partition().enable(1), 100, bad=70)
    assert ResultValue.decode(found[-1].rax) == ResultValue(HvStatus.INVALID_PARAMETER, 70)


def test_openvmm_goes_to_the_end_at_once_or_does_nothing() -> None:
    guest = Partition(OPENVMM).enable(1)
    assert starts(stretches(guest, 510, vtl=VTL1_IMPOSES)) == [510]
    failed = stretches(guest, 100, bad=70, vtl=VTL1_IMPOSES)
    assert ResultValue.decode(failed[-1].rax) == ResultValue(HvStatus.OPERATION_DENIED, 0)

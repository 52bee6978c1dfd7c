"""Where the lists of a call may be, and what becomes of a call whose lists are elsewhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.abi.tlfs.interface import PARTITION_ID_SELF, VP_INDEX_SELF, CallCode
from engine.abi.tlfs.parameters import EnablePartitionVtl, RegisterNameElement, VpRegistersHeader
from engine.abi.tlfs.registers import RegisterName
from engine.abi.tlfs.status import HvStatus
from engine.model.rights import Access
from engine.vsm.control import InputValue
from engine.vsm.dispatch import Served
from engine.vsm.parameters import CallRegisters, Denied, Undefined
from engine.vsm.profile import OPENVMM, TLFS, Profile
from engine.vsm.view import Caller
from tests.engine.vsm.partition import INPUT, OUTPUT, Partition

VTL0 = Caller(0, 0)
GET = InputValue(code=CallCode.GetVpRegisters, rep_count=1)
ENABLE = InputValue(code=CallCode.EnablePartitionVtl)
NAMES = bytes(VpRegistersHeader(PARTITION_ID_SELF, VP_INDEX_SELF)) + bytes(RegisterNameElement(RegisterName.RIP))


def make(guest: Partition, control: InputValue, rdx: int, r8: int = OUTPUT) -> Served | Undefined | Denied:
    guest.memory[INPUT : INPUT + len(NAMES)] = NAMES
    return guest.once(VTL0, CallRegisters(rcx=control.encode(), rdx=rdx, r8=r8))


def status(*given: object) -> HvStatus:
    served = make(*given)  # type: ignore[arg-type]
    assert isinstance(served, Served)
    return served.status


ALIGNMENT, INVALID = HvStatus.INVALID_ALIGNMENT, HvStatus.INVALID_HYPERCALL_INPUT
PLACES: list[tuple[int, int, HvStatus, HvStatus]] = [
    (INPUT, OUTPUT, HvStatus.SUCCESS, HvStatus.SUCCESS),
    (INPUT + 4, OUTPUT, ALIGNMENT, ALIGNMENT),
    (INPUT, OUTPUT + 1, ALIGNMENT, ALIGNMENT),
    # 20 bytes of input and 16 of output, that end past their page.
    (INPUT + 0xFF0, OUTPUT, ALIGNMENT, INVALID),
    (INPUT, OUTPUT + 0xFF8, ALIGNMENT, INVALID),
    (1 << 52, OUTPUT, ALIGNMENT, ALIGNMENT),
    (INPUT, (1 << 64) - 16, ALIGNMENT, ALIGNMENT),
    (INPUT, INPUT + 8, ALIGNMENT, INVALID),
    (INPUT, INPUT + 24, HvStatus.SUCCESS, HvStatus.SUCCESS),
    (INPUT, INPUT - 16, HvStatus.SUCCESS, HvStatus.SUCCESS),
    (INPUT, INPUT - 8, ALIGNMENT, INVALID),
]


@pytest.mark.parametrize(("rdx", "r8", "tlfs", "openvmm"), PLACES)
def test_a_list_lies_in_one_page_aligned_and_apart_from_the_other(
    rdx: int, r8: int, tlfs: HvStatus, openvmm: HvStatus
) -> None:
    assert [status(Partition(profile), GET, rdx, r8) for profile in (TLFS, OPENVMM)] == [tlfs, openvmm]


def test_a_pointer_to_no_output_is_not_looked_at() -> None:
    """TLFS: "If the hypercall involves no input or output parameters, the hypervisor ignores the ... pointer"."""
    guest = Partition()
    header = bytes(EnablePartitionVtl(PARTITION_ID_SELF, 1))
    guest.memory[0x4000 : 0x4000 + len(header)] = header
    assert status(guest, ENABLE, 0x4000, 3) is HvStatus.SUCCESS


@pytest.mark.parametrize("gfn", [INPUT >> 12, 0x100])
def test_input_that_the_caller_cannot_read_is_an_intercept(gfn: int) -> None:
    guest = Partition()
    guest.unreadable.add(INPUT >> 12)
    assert make(guest, GET, gfn << 12) == Denied(gfn << 12, Access.READ)


def test_output_that_the_caller_cannot_write_is_an_intercept_and_nothing_is_done() -> None:
    guest = Partition()
    guest.unwritable.add(OUTPUT >> 12)
    assert make(guest, GET, INPUT) == Denied(OUTPUT, Access.WRITE)


@pytest.mark.parametrize("caller", [Caller(0, 0, cpl=3), Caller(0, 0, cpl=1), Caller(0, 0, real_mode=True)])
def test_a_call_from_a_lesser_mode_is_undefined(caller: Caller) -> None:
    """TLFS, Legal Hypercall Environments; even for a code that does not exist."""
    assert Partition().once(caller, CallRegisters(rcx=0x7FFF)) == Undefined()


def test_output_may_begin_where_input_ends() -> None:
    """Two names: 24 bytes."""
    guest = Partition()
    header, elements = names(2)
    data = bytes(header) + b"".join(map(bytes, elements))
    guest.memory[INPUT : INPUT + len(data)] = data
    rcx = InputValue(code=CallCode.GetVpRegisters, rep_count=2).encode()
    served = [guest.once(VTL0, CallRegisters(rcx=rcx, rdx=INPUT, r8=INPUT + at)) for at in (24, 16)]
    assert [found.status for found in served if isinstance(found, Served)] == [HvStatus.SUCCESS, ALIGNMENT]


def names(count: int) -> tuple[VpRegistersHeader, list[RegisterNameElement]]:
    return VpRegistersHeader(PARTITION_ID_SELF, VP_INDEX_SELF), [RegisterNameElement(RegisterName.RIP)] * count


@pytest.mark.parametrize(("count", "expected"), [(1, HvStatus.SUCCESS), (4, HvStatus.SUCCESS), (5, INVALID)])
def test_input_and_output_share_112_bytes_of_registers(count: int, expected: HvStatus) -> None:
    """Four names: 32 bytes in, 64 out. Five: 36 bytes in, which are three XMM registers, and 80 out."""
    assert Partition().call(CallCode.GetVpRegisters, *names(count), fast=True).status is expected


def test_output_comes_behind_the_input() -> None:
    guest = Partition()
    guest.registers[0, 0, RegisterName.RIP] = 0x1122_3344
    served = guest.call(CallCode.GetVpRegisters, *names(2), fast=True)
    block = served.registers.block
    assert [int.from_bytes(block[at : at + 16], "little") for at in (32, 48)] == [0x1122_3344] * 2


@pytest.mark.parametrize(("field", "count"), [("xmm_input", 1), ("xmm_output", 1)])
def test_what_is_not_offered_is_undefined(field: str, count: int) -> None:
    guest = Partition()
    guest.partition = replace(guest.partition, **{field: False})
    rcx = InputValue(code=CallCode.GetVpRegisters, fast=True, rep_count=count).encode()
    assert guest.once(VTL0, CallRegisters(rcx=rcx)) == Undefined()


def test_two_registers_of_input_need_no_xmm() -> None:
    guest = Partition()
    guest.partition = replace(guest.partition, xmm_input=False, xmm_output=False)
    served = guest.call(CallCode.EnablePartitionVtl, EnablePartitionVtl(PARTITION_ID_SELF, 1), fast=True)
    assert served.status is HvStatus.SUCCESS


@given(st.integers(0, 112), st.binary(max_size=112), st.binary(min_size=96, max_size=96))
def test_output_changes_its_own_bytes_only(at: int, data: bytes, xmm: bytes) -> None:
    data = data[: 112 - at]
    before = CallRegisters(rcx=1, rdx=2, r8=3, xmm=xmm)
    after = before.with_output(at, data)
    assert after.block == before.block[:at] + data + before.block[at + len(data) :]
    assert after.rcx == 1


@pytest.mark.parametrize("profile", [TLFS, OPENVMM], ids=lambda profile: profile.name)
def test_more_reps_than_a_page_holds_are_refused(profile: Profile) -> None:
    control = InputValue(code=CallCode.ModifyVtlProtectionMask, rep_count=511)
    assert status(Partition(profile), control, INPUT) is profile.page_crossing
